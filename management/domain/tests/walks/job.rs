//! One job among several sessions.

use std::time::Duration;

use hadron_domain::job::{
    Job, JobEffect, JobInput, JobRefusal, JobState, MAX_ATTEMPTS, MAX_HANDOVERS, MAX_LOSSES, RETAKE_AFTER,
};
use hadron_domain::step::{Machine, Step};
use hadron_proto::vocab::{SessionId, Timestamp};

use crate::LENGTH;
use crate::common::{Rng, at, id};

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    StaleReports,
    ReportTwice,
    SameFence,
}

/// What the walk knows by itself, without looking at the machine's state.
struct Known {
    /// Who was given which fence, oldest first.
    given: Vec<(SessionId, u64)>,
    accepted: u32,
    gave_up: u32,
    voided: bool,
    /// The latest lease: until when, and whether it is still held.
    until: Timestamp,
    held: bool,
    losses: u32,
    handovers: u32,
}

fn step(job: &Job, input: JobInput, fault: Fault) -> Result<Step<Job, JobEffect>, JobRefusal> {
    match (fault, &input) {
        (Fault::StaleReports, JobInput::Report { now, .. }) => job.step(JobInput::Report {
            fence: job.fence,
            now: *now,
        }),
        (Fault::ReportTwice, JobInput::Report { fence, .. }) if *fence == job.fence => {
            let step = job.step(input)?;
            Ok(Step::to(step.next, vec![JobEffect::Accept]))
        }
        _ => job.step(input),
    }
}

pub(crate) fn walk(rng: &mut Rng, fault: Fault) -> Result<(), String> {
    let sessions: [SessionId; 3] = [id(1), id(2), id(3)];
    let ttl = Duration::from_secs(30);
    let mut clock = 0;
    let mut fence = 0;
    let mut job = Job::new(id(9), at(0));
    let mut known = Known {
        given: Vec::new(),
        accepted: 0,
        gave_up: 0,
        voided: false,
        until: at(0),
        held: false,
        losses: 0,
        handovers: 0,
    };
    let ender = rng.chance(30);
    for _ in 0..LENGTH {
        clock += [0, 1, 5, 12, 40][rng.below(5)];
        let now = at(clock);
        let holder = *rng.pick(&sessions);
        // Mostly the latest fence, sometimes an older one, sometimes one that was never given.
        let shown = match rng.below(10) {
            0..6 => known.given.last().map_or(0, |(_, fence)| *fence),
            6..9 if !known.given.is_empty() => rng.pick(&known.given).1,
            _ => rng.next() % 50,
        };
        let input = match rng.below(100) {
            0..30 => {
                if fault != Fault::SameFence || rng.chance(50) {
                    fence += 1 + rng.next() % 3;
                }
                JobInput::Take {
                    holder,
                    fence,
                    now,
                    ttl,
                }
            }
            30..35 => JobInput::Started { fence: shown },
            35..45 => JobInput::Renew {
                fence: shown,
                holder,
                now,
                ttl,
            },
            45..55 => JobInput::Handover { fence: shown, now },
            55..58 => JobInput::Report { fence: shown, now },
            58..62 if ender => JobInput::Report { fence: shown, now },
            62..72 => JobInput::Check { fence: shown },
            72..74 if ender => JobInput::Void { now },
            74..80 => JobInput::TakeBack { now },
            _ => JobInput::Expire { now },
        };
        let before = job.clone();
        let outcome = step(&before, input.clone(), fault);
        check(&before, &input, &outcome, &mut known)
            .map_err(|what| format!("{what}: {input:?} on {before:?}"))?;
        if let Ok(step) = outcome {
            job = step.next;
            repeat(&job, &input, fault).map_err(|what| format!("{what}: {input:?} on {job:?}"))?;
        }
    }
    Ok(())
}

/// An input that was already taken changes nothing. A repeated take is no repetition: the store gives it another fence.
fn repeat(job: &Job, input: &JobInput, fault: Fault) -> Result<(), String> {
    let again = step(job, input.clone(), fault);
    match input {
        JobInput::Take { .. } => match again {
            Err(_) => Ok(()),
            Ok(_) => Err("taken twice".to_owned()),
        },
        _ => match again {
            Ok(step) if step.next == *job && step.effects.is_empty() => Ok(()),
            // The last hand-over ends the job, and then it is told so.
            Err(JobRefusal::Ended(_)) if matches!(job.state, JobState::Void { .. }) => Ok(()),
            Ok(_) => Err("a repetition had an effect".to_owned()),
            Err(refusal) => Err(format!("a repetition was refused ({refusal})")),
        },
    }
}

fn check(
    before: &Job,
    input: &JobInput,
    outcome: &Result<Step<Job, JobEffect>, JobRefusal>,
    known: &mut Known,
) -> Result<(), String> {
    let says = |fine: bool, what: &str| if fine { Ok(()) } else { Err(what.to_owned()) };
    let over = known.accepted + known.gave_up > 0 || known.voided;
    let latest = known.given.last().map_or(0, |(_, fence)| *fence);
    says(
        before.is_over() == over,
        "the end was announced and did not come, or came and was not announced",
    )?;

    let shown = match input {
        JobInput::Started { fence }
        | JobInput::Renew { fence, .. }
        | JobInput::Handover { fence, .. }
        | JobInput::Report { fence, .. }
        | JobInput::Check { fence } => Some(*fence),
        JobInput::Take { .. }
        | JobInput::Expire { .. }
        | JobInput::Void { .. }
        | JobInput::TakeBack { .. } => None,
    };
    let Ok(step) = outcome else {
        // A holder whose lease nobody ended is never turned away.
        let mine = shown == Some(latest) && known.held;
        let timer = matches!(
            input,
            JobInput::Expire { .. } | JobInput::Void { .. } | JobInput::TakeBack { .. }
        );
        return says(!mine && !timer, "refused without a reason");
    };
    let next = &step.next;
    if let Some(shown) = shown
        && shown != latest
    {
        return Err("a stale fence was heard".to_owned());
    }
    says(
        next.fence >= before.fence && next.attempts >= before.attempts,
        "a count went back",
    )?;
    says(
        next.losses <= MAX_LOSSES
            && next.attempts <= MAX_ATTEMPTS + next.handovers
            && next.handovers <= MAX_HANDOVERS,
        "a bound was passed",
    )?;
    if over {
        return says(
            step.next == *before && step.effects.is_empty(),
            "an ended job came back to life",
        );
    }

    let count =
        |effect: &JobEffect| u32::try_from(step.effects.iter().filter(|e| *e == effect).count()).unwrap();
    known.accepted += count(&JobEffect::Accept);
    known.gave_up += count(&JobEffect::GiveUp);
    says(known.accepted + known.gave_up <= 1, "more than one end")?;
    let told = step
        .effects
        .iter()
        .any(|effect| matches!(effect, JobEffect::TellLost(_, fence) if *fence == latest));
    let was_held = known.held;

    match input {
        JobInput::Take {
            holder,
            fence,
            now,
            ttl,
        } => {
            says(!known.held, "taken from a holder")?;
            says(
                known.given.iter().all(|(_, given)| given < fence),
                "a fence was given twice",
            )?;
            says(next.attempts == before.attempts + 1, "an attempt was not counted")?;
            known.given.push((*holder, *fence));
            (known.until, known.held) = (now.plus(*ttl), true);
        }
        JobInput::Renew { now, ttl, .. } => {
            says(known.held, "a lost lease was renewed")?;
            known.until = now.plus(*ttl);
        }
        JobInput::Check { .. } | JobInput::Started { .. } => says(known.held, "leave without a lease")?,
        JobInput::Handover { now, .. } => {
            if known.held {
                known.handovers += 1;
                let rest = match next.state {
                    JobState::Ready { not_before } => not_before.since(*now),
                    _ => Duration::ZERO,
                };
                says(
                    rest <= Duration::from_secs(60) && (known.handovers <= 2) == rest.is_zero(),
                    "no rest, or too long a one, after the job was handed back",
                )?;
            }
            known.held = false;
        }
        JobInput::Report { .. } => {
            says(
                known.accepted == 1,
                "a report under the latest fence did not count",
            )?;
            known.held = false;
        }
        JobInput::Expire { now } => {
            let due = known.held && known.until <= *now;
            says(due == (next != before), "a lease ended early, or late")?;
            if due {
                known.losses += 1;
                known.held = false;
                says(told, "the loser was not told")?;
                if let JobState::Ready { not_before } = next.state {
                    says(
                        not_before == now.plus(RETAKE_AFTER),
                        "no rest before the job is taken again",
                    )?;
                }
            }
        }
        JobInput::Void { .. } => {
            known.voided = true;
            says(told == was_held, "the holder of a void job was not told")?;
            known.held = false;
        }
        JobInput::TakeBack { .. } => {
            says(told == was_held, "the loser was not told")?;
            known.held = false;
        }
    }
    says(
        next.losses == known.losses,
        "a loss was not counted, or counted twice",
    )?;
    says(
        next.handovers == known.handovers,
        "a handover was not counted, or counted twice",
    )?;
    let waiting = matches!(next.state, JobState::Ready { .. });
    says(
        !(was_held && waiting) || step.effects.contains(&JobEffect::Wake),
        "nobody was woken for a free job",
    )?;
    says(
        known.held == matches!(next.state, JobState::Leased { .. }),
        "held and not held",
    )
}
