//! Goes through the audit log and tells what is amiss.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hadron_domain::audit::{Checkpoint, Known, Signed, Verdict, Verifier};
use hadron_proto::spiffe::HubId;

use super::super::told;
use super::{Changed, keys, open, page};
use crate::app::App;
use crate::args::Verify;
use crate::config::Config;
use crate::high_water;
use crate::identity::audit_key::PublicKey;
use crate::store::audit;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn run(task: Verify) -> anyhow::Result<()> {
    let Verify {
        checkpoints: mut files,
        public_key,
        restored,
        source,
    } = task;
    let config = source.load()?;
    let keys = keys(&config, public_key)?;
    let (app, hub) = open(&config).await?;
    let hub_id = hub.to_string();
    let mut gathered = Gathered::new(&keys, &hub_id);
    gathered.add("the database", stored(&app).await?);
    if files.is_empty() {
        let own: Option<PathBuf> = config.audit.file.clone();
        files.extend(own.filter(|file| file.exists()));
    }
    for file in &files {
        let read =
            in_place(file).with_context(|| format!("cannot read the checkpoints in {}", file.display()))?;
        gathered.add(&file.display().to_string(), read);
    }
    let pins = app.read("pins", |tx| Box::pin(async move { Ok(audit::pins(tx).await?) }));
    let known = Known {
        pins: pins.await.map_err(told)?,
        checkpoints: std::mem::take(&mut gathered.good)
            .into_values()
            .flatten()
            .collect(),
        drawn: None,
        seen: seen(&app, &config, &hub).await?,
    };
    let verdict = walk(&app, known).await?;
    app.db().close().await;
    for notice in &gathered.notices {
        eprintln!("note: {notice}");
    }
    tell(&verdict, &gathered.forged, restored)
}

/// Checkpoints, sorted by what is to be thought of them.
struct Gathered<'a> {
    keys: &'a [PublicKey],
    hub: &'a str,
    good: BTreeMap<(u64, i64), Vec<Checkpoint>>,
    /// Those that somebody has changed.
    forged: Vec<String>,
    notices: Vec<String>,
}

impl<'a> Gathered<'a> {
    const fn new(keys: &'a [PublicKey], hub: &'a str) -> Self {
        Self {
            keys,
            hub,
            good: BTreeMap::new(),
            forged: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn add(&mut self, place: &str, all: Vec<Signed>) {
        let (mut unknown, mut others) = (BTreeMap::<String, u64>::new(), 0_u64);
        for signed in all {
            if signed.checkpoint.hub != self.hub {
                others += 1;
                continue;
            }
            let Some(key) = self.keys.iter().find(|key| key.id() == signed.key) else {
                *unknown.entry(signed.key).or_default() += 1;
                continue;
            };
            if key.has_signed(&signed) {
                let place = (signed.checkpoint.generation, signed.checkpoint.sequence);
                let known = self.good.entry(place).or_default();
                // The same one in two places is one.
                if known.iter().all(|known| known.hash != signed.checkpoint.hash) {
                    known.push(signed.checkpoint);
                }
            } else {
                self.forged.push(format!(
                    "the checkpoint for row {} in {place} was changed: key {} has not signed it",
                    signed.checkpoint.sequence, signed.key
                ));
            }
        }
        if others > 0 {
            self.notices.push(format!(
                "{others} checkpoints in {place} are of another hub and count for nothing"
            ));
        }
        for (key, count) in unknown {
            self.notices.push(format!(
                "{count} checkpoints in {place} are signed by key {key}, which is not known, and count for nothing; give it \
                 with --public-key if it is one of your hubs'"
            ));
        }
    }
}

async fn stored(app: &App) -> anyhow::Result<Vec<Signed>> {
    let (mut all, mut behind) = (Vec::new(), (0, 0));
    loop {
        let more = app.checkpoints(behind).await.map_err(told)?;
        let Some(last) = more.last() else { return Ok(all) };
        behind = (last.checkpoint.generation, last.checkpoint.sequence);
        all.extend(more);
    }
}

/// Checkpoints of a file, or of all files in a folder and the folders in it, as `aws s3 sync` leaves them.
fn in_place(place: &Path) -> std::io::Result<Vec<Signed>> {
    if !place.is_dir() {
        return in_file(place);
    }
    let (mut all, mut folders) = (Vec::new(), vec![place.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                all.extend(in_file(&entry.path())?);
            }
        }
    }
    Ok(all)
}

/// Checkpoints of a file. What is no checkpoint is a line of something else, such as of a log that they were printed into.
fn in_file(file: &Path) -> std::io::Result<Vec<Signed>> {
    let text = std::fs::read(file)?;
    let text = String::from_utf8_lossy(&text);
    // A journal puts its own words in front.
    let lines = text
        .lines()
        .filter_map(|line| line.find('{').map(|at| &line[at..]));
    Ok(lines.filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// What the hub of this data directory has seen of this generation.
async fn seen(app: &App, config: &Config, hub: &HubId) -> anyhow::Result<Option<i64>> {
    let Some(mark) = high_water::Mark::read(&config.data_dir, hub)? else {
        return Ok(None);
    };
    let now = app.high_water().await.map_err(told)?;
    let same = mark.seen.generation == now.generation;
    Ok(same.then(|| i64::try_from(mark.seen.audit).unwrap_or(i64::MAX)))
}

async fn walk(app: &App, known: Known) -> anyhow::Result<Verdict> {
    let mut verifier = Verifier::new(known);
    let (mut behind, mut told) = (i64::MIN, Instant::now());
    loop {
        let (rows, drawn) = page(app, behind).await?;
        for (record, hash) in &rows {
            verifier.row(record, hash.as_deref());
        }
        let Some((last, _)) = rows.last() else {
            // What was drawn in the snapshot that had no more rows.
            verifier.drawn(drawn);
            return Ok(verifier.finish());
        };
        behind = last.sequence;
        if told.elapsed() > TELL_EVERY {
            let end = if std::io::stderr().is_terminal() {
                "\r"
            } else {
                "\n"
            };
            eprint!("checked {} of {drawn} rows{end}", verifier.rows());
            told = Instant::now();
        }
    }
}

fn tell(verdict: &Verdict, forged: &[String], restored: Option<u64>) -> anyhow::Result<()> {
    let before =
        |checkpoint: &Checkpoint| restored.is_some_and(|generation| checkpoint.generation < generation);
    let mut findings = forged.len() as u64 + verdict.count;
    for what in &verdict.amiss {
        if what.checkpoint().is_some_and(before) {
            findings -= 1;
            eprintln!("note: {what}; of before the restore");
        } else {
            println!("{what}");
        }
    }
    let told = verdict.amiss.len() as u64;
    if verdict.count > told {
        println!("and {} more findings", verdict.count - told);
    }
    for what in forged {
        println!("{what}");
    }
    let Verdict {
        rows,
        chained,
        last,
        hash,
        agreed,
        checkpoints,
        ..
    } = verdict;
    if findings > 0 {
        eprintln!("checked {rows} rows, {chained} of them with a hash");
        return Err(Changed(findings).into());
    }
    println!("nothing was changed: {rows} rows, {chained} of them with a hash; row {last} has hash {hash}");
    if *checkpoints == 0 {
        eprintln!(
            "note: no checkpoint was compared, so that a log that was rewritten as a whole would look like this, too\n  next: \
             give a copy of the hub's checkpoints with --checkpoints, and its key with --public-key"
        );
    } else {
        println!("{checkpoints} checkpoints agree, up to row {agreed}");
    }
    Ok(())
}
