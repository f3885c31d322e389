//! The service planner among parts that succeed, fail and are cancelled.

use std::collections::{BTreeMap, BTreeSet};

use hadron_domain::service::{Doing, Order, Part, Parts, Plan, Stage, Status, plan};
use hadron_proto::vocab::InstanceName;

use crate::LENGTH;
use crate::common::{Rng, instance};

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Facts are given as they are, without regard to when they came about.
    OldFacts,
    /// An answer that rests is stored before its orders are carried out, and the hub dies in between.
    RestFirst,
}

/// One part as the hub's tables know it.
#[derive(Clone, Copy, Debug)]
struct Row {
    part: Part,
    /// Whether the deployment under way deletes.
    destroys: bool,
    /// Whether its last deployment began in what the service is doing now.
    recent: bool,
}

impl Row {
    const NEW: Self = Self {
        part: Part::Untouched,
        destroys: false,
        recent: false,
    };
}

#[derive(Debug)]
struct World {
    fault: Fault,
    doing: Doing,
    status: Status,
    spec: BTreeSet<InstanceName>,
    spec_before: BTreeSet<InstanceName>,
    rows: BTreeMap<InstanceName, Row>,
    pipeline: Option<Row>,
    removed: bool,
    /// What was tried since the service began what it is doing.
    tried: BTreeSet<InstanceName>,
    tried_pipeline: bool,
    begun: u32,
    asked: u32,
}

fn wrong<T>(what: impl Into<String>) -> Result<T, String> {
    Err(what.into())
}

impl World {
    fn parts(&self) -> Parts {
        let old = |row: &Row| match self.doing {
            Doing::Nothing => row.part,
            _ if row.recent || self.fault == Fault::OldFacts => row.part,
            _ => row.part.from_before(),
        };
        // In the spec, or not yet deleted.
        let there = |(name, row): &(&InstanceName, &Row)| row.part != Part::Gone || self.spec.contains(*name);
        let instances = self
            .rows
            .iter()
            .filter(there)
            .map(|(name, row)| (name.clone(), old(row)))
            .collect();
        Parts {
            instances,
            pipeline: self.pipeline.as_ref().map(old),
        }
    }

    fn start(&mut self, doing: Doing, status: Status) {
        self.doing = doing;
        self.status = status;
        self.tried.clear();
        self.tried_pipeline = false;
        self.asked = 0;
        for row in self.rows.values_mut().chain(self.pipeline.as_mut()) {
            row.recent = false;
        }
    }

    /// A person wants something.
    fn wish(&mut self, rng: &mut Rng) {
        if rng.chance(20) {
            return self.start(Doing::Deleting, Status::DeleteInProgress);
        }
        let names = ["a", "b", "c", "d"].map(instance);
        let spec: BTreeSet<_> = names.into_iter().filter(|_| rng.chance(55)).collect();
        if spec.is_empty() {
            return;
        }
        let adding: BTreeSet<_> = spec.difference(&self.spec).cloned().collect();
        // What the spec no longer names, and what an earlier update could not delete.
        let there = self
            .rows
            .iter()
            .filter(|(_, row)| row.part != Part::Gone)
            .map(|(name, _)| name);
        let removing = self
            .spec
            .iter()
            .chain(there)
            .filter(|name| !spec.contains(*name))
            .cloned()
            .collect();
        self.spec_before.clone_from(&self.spec);
        self.spec = spec;
        for name in &adding {
            let row = self.rows.entry(name.clone()).or_insert(Row::NEW);
            if row.part == Part::Gone && rng.chance(50) {
                *row = Row::NEW;
            }
        }
        self.start(
            Doing::Updating {
                adding,
                removing,
                stage: Stage::Adding,
            },
            Status::UpdateInProgress,
        );
    }

    /// A deployment of one part ends.
    fn end(&mut self, rng: &mut Rng) {
        let mut busy: Vec<&mut Row> = self
            .rows
            .values_mut()
            .chain(self.pipeline.as_mut())
            .filter(|row| row.part == Part::Busy)
            .collect();
        if busy.is_empty() {
            return;
        }
        let at = rng.below(busy.len());
        let well = rng.chance(70);
        busy[at].part = match (busy[at].destroys, well) {
            (false, true) => Part::Good,
            (false, false) => Part::Bad,
            (true, true) => Part::Gone,
            (true, false) => Part::DeleteFailed,
        };
    }

    /// A person deploys a part of a service that is at rest.
    fn mend(&mut self, rng: &mut Rng) {
        let spec: Vec<_> = self.spec.iter().cloned().collect();
        if rng.chance(30) {
            if let Some(row) = self.pipeline.as_mut().filter(|row| row.part != Part::Busy) {
                *row = Row {
                    part: Part::Busy,
                    destroys: false,
                    recent: true,
                };
            }
        } else if let Some(row) = self
            .rows
            .get_mut(rng.pick(&spec))
            .filter(|row| row.part != Part::Busy)
        {
            *row = Row {
                part: Part::Busy,
                destroys: false,
                recent: true,
            };
        }
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        self.begun += 1;
        let all_good = |world: &Self| world.spec.iter().all(|name| world.rows[name].part == Part::Good);
        let mut go = |name: &InstanceName, destroys| {
            let row = self
                .rows
                .get_mut(name)
                .ok_or_else(|| format!("{order:?}: no such instance"))?;
            if row.part == Part::Busy {
                return wrong(format!("{order:?}: it is busy"));
            }
            *row = Row {
                part: Part::Busy,
                destroys,
                recent: true,
            };
            self.tried.insert(name.clone());
            Ok(())
        };
        match order {
            Order::Apply(name) => {
                let wanted = match &self.doing {
                    Doing::Creating => self.spec.contains(name),
                    Doing::Updating { adding, .. } => adding.contains(name),
                    Doing::Nothing | Doing::Deleting => false,
                };
                if wanted {
                    go(name, false)
                } else {
                    wrong(format!("{order:?}: nobody wants it"))
                }
            }
            Order::Destroy(name) => {
                let doomed = match &self.doing {
                    Doing::Updating { adding, removing, .. } => {
                        adding.contains(name) || removing.contains(name)
                    }
                    Doing::Deleting => true,
                    Doing::Nothing | Doing::Creating => false,
                };
                if doomed {
                    go(name, true)
                } else {
                    wrong(format!("{order:?}: it is to stay"))
                }
            }
            Order::ApplyPipeline | Order::DestroyPipeline => {
                let destroys = *order == Order::DestroyPipeline;
                if !destroys && self.doing == Doing::Creating && !all_good(self) {
                    return wrong("the pipeline is created before all instances are good");
                }
                if destroys != (self.doing == Doing::Deleting) || self.doing == Doing::Nothing {
                    return wrong(format!("{order:?}: not now"));
                }
                if destroys && self.rows.values().any(|row| row.part != Part::Gone) {
                    return wrong("the pipeline goes before the instances");
                }
                let row = self.pipeline.as_mut().ok_or("there is no pipeline")?;
                if row.part == Part::Busy {
                    return wrong(format!("{order:?}: it is busy"));
                }
                *row = Row {
                    part: Part::Busy,
                    destroys,
                    recent: true,
                };
                self.tried_pipeline = true;
                Ok(())
            }
            Order::FailPipeline => {
                let row = self.pipeline.as_mut().ok_or("there is no pipeline")?;
                *row = Row {
                    part: Part::Bad,
                    destroys: false,
                    recent: true,
                };
                self.tried_pipeline = true;
                Ok(())
            }
            Order::RevertSpec => {
                self.spec.clone_from(&self.spec_before);
                Ok(())
            }
            Order::Remove => {
                self.removed = true;
                Ok(())
            }
        }
    }

    /// The hub looks at the service, and may die at any point of what follows.
    fn ask(&mut self, rng: &mut Rng, crashes: bool) -> Result<(), String> {
        self.asked += 1;
        let answer = plan(&self.doing, self.status, &self.parts());
        if answer != plan(&self.doing, self.status, &self.parts()) {
            return wrong("two answers to one question");
        }
        let rests = answer.doing == Doing::Nothing;
        let keep = |world: &mut Self, answer: &Plan| {
            world.doing = answer.doing.clone();
            world.status = answer.status;
        };
        if crashes && rng.chance(30) {
            let some = rng.below(answer.orders.len() + 1);
            // In one transaction if it rests; otherwise the answer may be stored first, or last, or not at all.
            let first = (!rests && rng.chance(50)) || self.fault == Fault::RestFirst;
            for order in &answer.orders[..some] {
                self.carry_out(order)?;
            }
            if first {
                keep(self, &answer);
                if rests && some == answer.orders.len() {
                    return self.rested();
                }
            }
            return Ok(());
        }
        let was = self.doing.clone();
        for order in &answer.orders {
            self.carry_out(order)?;
        }
        keep(self, &answer);
        if was != Doing::Nothing && rests {
            self.rested_from(&was)?;
        }
        // Asked again with nothing new, it has nothing new to say.
        if !self.removed {
            let again = plan(&self.doing, self.status, &self.parts());
            if again.status != self.status || again.doing != self.doing || !again.orders.is_empty() {
                return wrong(format!("asked again it says {again:?} after {answer:?}"));
            }
            let busy = self
                .rows
                .values()
                .chain(self.pipeline.as_ref())
                .any(|row| row.part == Part::Busy);
            if self.doing != Doing::Nothing && !busy {
                return wrong(format!("it waits for nothing after {answer:?}"));
            }
        }
        Ok(())
    }

    fn rested(&self) -> Result<(), String> {
        if self.pipeline.is_some_and(|row| row.part == Part::Untouched) && self.status == Status::CreateFailed
        {
            return wrong("the pipeline waits for ever");
        }
        Ok(())
    }

    /// What must be true when something has ended.
    fn rested_from(&self, was: &Doing) -> Result<(), String> {
        self.rested()?;
        let rows = self.rows.iter();
        if let Some((name, _)) = rows
            .clone()
            .find(|(_, row)| row.part == Part::Busy && row.recent && row.destroys)
        {
            return wrong(format!("{name} is still being deleted"));
        }
        let good = |name: &InstanceName| self.rows[name].part == Part::Good;
        let pipeline = self.pipeline.map_or(Part::Good, |row| row.part);
        match (was, self.status) {
            (Doing::Creating, Status::Active) if !self.spec.iter().all(good) || pipeline != Part::Good => {
                wrong("active, but not all is good")
            }
            (Doing::Updating { adding, removing, .. }, Status::Active) => {
                let gone = |name: &InstanceName| self.rows.get(name).is_none_or(|row| row.part == Part::Gone);
                if !adding.iter().all(good) || !removing.iter().all(gone) || pipeline != Part::Good {
                    return wrong("active, but the update is not done");
                }
                if self.pipeline.is_some() && !self.tried_pipeline {
                    return wrong("active without trying the pipeline");
                }
                Ok(())
            }
            (Doing::Updating { adding, .. }, Status::UpdateFailedCleanupComplete) => {
                let left = adding.iter().find(|name| self.rows[*name].part != Part::Gone);
                left.map_or(Ok(()), |name| wrong(format!("cleaned up, but {name} is there")))
            }
            (Doing::Updating { adding, .. }, Status::UpdateFailedCleanupFailed) => {
                let left = adding
                    .iter()
                    .find(|name| matches!(self.rows[*name].part, Part::Good | Part::Bad));
                left.map_or(Ok(()), |name| {
                    wrong(format!("{name} was left without trying to delete it"))
                })
            }
            (Doing::Deleting, Status::DeleteFailed) => {
                let failed = |(name, row): &(&InstanceName, &Row)| {
                    row.part == Part::DeleteFailed && !self.tried.contains(*name)
                };
                match rows.clone().find(failed) {
                    Some((name, _)) => wrong(format!("deletion failed without trying {name}")),
                    None if rows.clone().all(|(_, row)| row.part == Part::Gone) && !self.tried_pipeline => {
                        wrong("deletion failed without trying the pipeline")
                    }
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn walk(rng: &mut Rng, fault: Fault) -> Result<(), String> {
    let spec: BTreeSet<_> = ["a", "b", "c"]
        .map(instance)
        .into_iter()
        .take(1 + rng.below(3))
        .collect();
    let mut world = World {
        fault,
        doing: Doing::Creating,
        status: Status::CreateInProgress,
        spec_before: spec.clone(),
        rows: spec.iter().map(|name| (name.clone(), Row::NEW)).collect(),
        spec,
        pipeline: rng.chance(70).then_some(Row::NEW),
        removed: false,
        tried: BTreeSet::new(),
        tried_pipeline: false,
        begun: 0,
        asked: 0,
    };
    let mut run = || {
        for _ in 0..LENGTH {
            if world.removed {
                return Ok(());
            }
            let rests = world.doing == Doing::Nothing;
            match rng.below(10) {
                0..5 => world.ask(rng, true)?,
                5..8 => world.end(rng),
                8 if rests => world.wish(rng),
                9 if rests => world.mend(rng),
                _ => {}
            }
        }
        // Every part can be tried once to apply and once to delete, and the pipeline too.
        let bound = world.begun + 24;
        for _ in 0..60 {
            if world.removed || world.doing == Doing::Nothing {
                return Ok(());
            }
            world.ask(rng, false)?;
            world.end(rng);
            if world.begun > bound {
                return wrong("it goes round and round");
            }
        }
        wrong("it does not come to rest")
    };
    run().map_err(|what| format!("{what}\n{world:#?}"))
}
