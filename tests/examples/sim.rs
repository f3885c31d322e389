//! dev
fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args[1] == "bugs" {
        for bug in hadron_proto::fault::Bug::ALL {
            if args.len() > 2 && !args[2..].contains(&bug.to_string()) { continue; }
            let t = std::time::Instant::now();
            println!("{:?} {:?}", hadron_tests::simulation::bugs::find(bug, 1, 60), t.elapsed());
        }
        return;
    }
    let first: u64 = args[1].parse().unwrap();
    let n: u64 = args[2].parse().unwrap();
    let tell = args.len() > 3;
    let t = std::time::Instant::now();
    let mut hours = 0.0;
    for seed in first..first + n {
        let story = hadron_tests::simulation::run(hadron_tests::simulation::Seed { number: seed, tell }).unwrap();
        hours += story.simulated.as_secs_f64() / 3600.0;
        if !story.violations.is_empty() || tell {
            println!("{story}");
        }
        println!("{seed} {:016x} {:?} states {} ended {:?} {:?} viol {}", story.hash, t.elapsed(), story.states.len(), story.ended, story.counts, story.violations.len());
    }
    println!("{n} seeds {:?} {hours} h", t.elapsed());
}
