//! Properties of what is an algebra rather than a machine: version numbers, grants, policy lanes, names, the authority
//! table; and that whatever is stored comes back as it was.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Rng, account, at, id, repository, signed};
use hadron_domain::authority::{Action, Caller, Demand, Place, Reach, Right, Role, Scope, demand, reach};
use hadron_domain::deployment::{Authorised, Deployment, Ending, Intent, Phase};
use hadron_domain::grant::{Because, Grants, ImageUse, LaneEffect, LaneInput, PolicyLane, Repository};
use hadron_domain::job::{Job, JobState};
use hadron_domain::principal::Principal;
use hadron_domain::service::{Doing, Stage};
use hadron_domain::step::Machine;
use hadron_domain::target::Target;
use hadron_domain::template::{
    CompatibleTemplate, VersionFault, VersionInput, VersionState, Versions, Wanted,
};
use hadron_proto::vocab::{AccountId, JobId, StackPrefix, TemplateVersion};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        ..ProptestConfig::default()
    }
}

// ---- Versions -------------------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum VersionDeed {
    Take(Option<u32>),
    Step(Index, VersionInput),
    Delete(Index, bool),
}

fn version_deed() -> impl Strategy<Value = VersionDeed> {
    let input = prop_oneof![
        4 => Just(VersionInput::Registered),
        1 => Just(VersionInput::Refused("no".to_owned())),
        4 => Just(VersionInput::Publish),
    ];
    prop_oneof![
        2 => prop::option::of(1..5_u32).prop_map(VersionDeed::Take),
        4 => (any::<Index>(), input).prop_map(|(at, input)| VersionDeed::Step(at, input)),
        2 => (any::<Index>(), prop::bool::weighted(0.2)).prop_map(|(at, used)| VersionDeed::Delete(at, used)),
    ]
}

/// What must hold of any set of versions, said naively.
fn check_versions(versions: &Versions) -> Result<(), TestCaseError> {
    let published: Vec<TemplateVersion> = versions
        .existing
        .iter()
        .filter(|(_, state)| matches!(state, VersionState::Published))
        .map(|(version, _)| *version)
        .collect();
    prop_assert_eq!(versions.recommended(), published.iter().copied().max());
    prop_assert_eq!(
        versions.resolve(Wanted::Recommended).ok(),
        published.iter().copied().max()
    );
    // A minor alone means nothing without knowing what is deployed.
    prop_assert_eq!(versions.resolve(Wanted::Minor(0)), Err(VersionFault::NoMajor(0)));
    for major in 0..7 {
        let best = published
            .iter()
            .copied()
            .filter(|version| version.major == major)
            .max();
        prop_assert_eq!(versions.recommended_of(major), best);
        let exists = versions.existing.keys().any(|version| version.major == major);
        let expected = match best {
            Some(version) => Ok(version),
            None if exists => Err(VersionFault::NothingPublishedOf(major)),
            None => Err(VersionFault::NoSuchMajor(major)),
        };
        prop_assert_eq!(versions.resolve(Wanted::Major(major)), expected);
        for minor in 0..7 {
            let version = TemplateVersion { major, minor };
            let found = versions.resolve(Wanted::Exactly(version));
            let deployable = versions
                .existing
                .get(&version)
                .is_some_and(VersionState::deployable);
            prop_assert_eq!(found.is_ok(), deployable, "{}", version);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn version_numbers_are_never_used_again(deeds in vec(version_deed(), 1..40)) {
        let mut versions = Versions::default();
        let mut ever = BTreeSet::new();
        for deed in deeds {
            let before = versions.clone();
            let some = |at: &Index| {
                (!before.existing.is_empty()).then(|| *before.existing.keys().nth(at.index(before.existing.len())).unwrap())
            };
            match deed {
                VersionDeed::Take(major) => {
                    let alive = |major| before.existing.keys().any(|version| version.major == major);
                    match versions.take_number(major) {
                        Ok(version) => {
                            prop_assert!(ever.insert(version), "{} was used before", version);
                            match major {
                                None => {
                                    prop_assert_eq!(version.minor, 0);
                                    prop_assert!(ever.iter().all(|other| other.major <= version.major));
                                    prop_assert!(version.major == 1 || ever.iter().any(|other| other.major + 1 == version.major));
                                }
                                Some(major) => {
                                    prop_assert!(alive(major));
                                    prop_assert_eq!(version.major, major);
                                    prop_assert!(version.minor > 0);
                                    let before = TemplateVersion { minor: version.minor - 1, ..version };
                                    prop_assert!(ever.contains(&before));
                                }
                            }
                            prop_assert_eq!(&versions.existing[&version], &VersionState::Registering);
                        }
                        Err(fault) => {
                            prop_assert_eq!(fault, VersionFault::NoSuchMajor(major.unwrap()));
                            prop_assert!(!alive(major.unwrap()));
                            prop_assert_eq!(&versions, &before);
                        }
                    }
                }
                VersionDeed::Step(at, input) => {
                    if let Some(version) = some(&at)
                        && let Ok(step) = versions.existing[&version].step(input)
                    {
                        versions.existing.insert(version, step.next);
                        let moved = versions.recommended() != before.recommended()
                            || versions.recommended_of(version.major) != before.recommended_of(version.major);
                        prop_assert!(!moved || !step.effects.is_empty(), "nobody was told of another recommendation");
                    }
                }
                VersionDeed::Delete(at, used) => {
                    let Some(version) = some(&at) else { continue };
                    let outcome = versions.delete(version, used.then(|| "environment prod".to_owned()));
                    let same_major = before.existing.keys().filter(|other| other.major == version.major).count();
                    let held = (before.recommended_of(version.major) == Some(version) && same_major > 1)
                        || (before.recommended() == Some(version) && before.existing.len() > same_major);
                    prop_assert_eq!(outcome.is_ok(), !used && !held, "{:?}", outcome);
                    if outcome.is_err() {
                        prop_assert_eq!(&versions, &before);
                    } else if versions.recommended() != before.recommended() {
                        prop_assert!(versions.existing.is_empty(), "a deletion changed what is recommended");
                    }
                    let nowhere = TemplateVersion { major: 99, minor: 0 };
                    prop_assert_eq!(versions.delete(nowhere, None), Err(VersionFault::NoSuchVersion(nowhere)));
                }
            }
            check_versions(&versions)?;
        }
        let json = serde_json::to_string(&versions).unwrap();
        prop_assert_eq!(serde_json::from_str::<Versions>(&json).unwrap(), versions);
    }

    #[test]
    fn wanted_versions_are_read_one_way(text in "[0-9+. v-]{0,6}") {
        match text.parse::<Wanted>() {
            Ok(Wanted::Recommended) => prop_assert_eq!(text, ""),
            Ok(Wanted::Major(major)) => prop_assert_eq!(text.trim_start_matches('0'), major.to_string()),
            Ok(Wanted::Minor(_)) => prop_assert!(false, "no text means a minor alone: {}", text),
            Ok(Wanted::Exactly(version)) => {
                prop_assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{}", text);
                prop_assert_eq!(version.to_string().parse::<TemplateVersion>().unwrap(), version);
            }
            Err(_) => prop_assert!(!text.is_empty()),
        }
    }

    #[test]
    fn compatible_templates_are_read_one_way(name in "[0-9A-Za-z][0-9A-Za-z_-]{0,20}", major in 1..u32::MAX, noise in "[+:. a0-]{1,3}") {
        let text = format!("{name}:{major}");
        let read: CompatibleTemplate = text.parse().unwrap();
        prop_assert_eq!(read.to_string(), text);
        if let Ok(other) = format!("{name}:{noise}{major}").parse::<CompatibleTemplate>() {
            prop_assert!(noise.bytes().all(|b| b == b'0'), "{:?}", other);
        }
    }
}

// ---- Grants ---------------------------------------------------------------------------------------------------------

const REGISTRY: u64 = 1;

fn somebodys_repository() -> impl Strategy<Value = Repository> {
    (
        select(vec![REGISTRY, REGISTRY, 7]),
        select(vec!["web", "api/main", "jobs"]),
        any::<bool>(),
    )
        .prop_map(|(registry, name, here)| Repository {
            registry: account(registry),
            region: if here { "eu-central-1" } else { "us-east-1" }.parse().unwrap(),
            ..repository(name)
        })
}

fn uri(repository: &Repository) -> String {
    format!(
        "{}.dkr.ecr.{}.amazonaws.com/{}:v1",
        repository.registry, repository.region, repository.name
    )
}

fn image_use() -> impl Strategy<Value = ImageUse> {
    let value = prop_oneof![
        4 => somebodys_repository().prop_map(|repository| uri(&repository)),
        1 => Just("nginx:latest".to_owned()),
        1 => Just("*".to_owned()),
        1 => select(vec!["", "000000000001.dkr.ecr.eu-central-1.amazonaws.com/", "000000000001.dkr.ecr.eu-central-1.evil.com/web"])
            .prop_map(str::to_owned),
    ];
    (
        select(vec!["shop", "mail"]),
        select(vec!["dev", "prod"]),
        select(vec![REGISTRY, 2, 3]),
        vec(somebodys_repository(), 0..2),
        vec(value, 0..3),
    )
        .prop_map(|(service, instance, number, pipeline, spec_values)| ImageUse {
            service: service.parse().unwrap(),
            instance: instance.parse().unwrap(),
            account: account(number),
            pipeline,
            spec_values,
        })
}

/// All reasons, one by one, computed the slow way.
fn reasons(uses: &[ImageUse]) -> BTreeSet<(Repository, AccountId, Because)> {
    let mut found = BTreeSet::new();
    for each in uses.iter().filter(|each| each.account != account(REGISTRY)) {
        let (service, instance) = (each.service.clone(), each.instance.clone());
        for repository in each
            .pipeline
            .iter()
            .filter(|repository| repository.registry == account(REGISTRY))
        {
            found.insert((
                repository.clone(),
                each.account,
                Because::Pipeline(service.clone(), instance.clone()),
            ));
        }
        for name in ["web", "api/main", "jobs"] {
            for region in ["eu-central-1", "us-east-1"] {
                let one = Repository {
                    region: region.parse().unwrap(),
                    ..repository(name)
                };
                if each.spec_values.contains(&uri(&one)) {
                    found.insert((
                        one,
                        each.account,
                        Because::Spec(service.clone(), instance.clone()),
                    ));
                }
            }
        }
    }
    found
}

fn flat(grants: &Grants) -> BTreeSet<(Repository, AccountId, Because)> {
    let mut found = BTreeSet::new();
    for (repository, readers) in grants.iter() {
        for (account, because) in readers {
            for one in because {
                found.insert((repository.clone(), *account, one.clone()));
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn grants_follow_from_uses_and_nothing_else(uses in vec(image_use(), 0..6), gone in any::<Index>()) {
        let registry = account(REGISTRY);
        let grants = Grants::desired(registry, uses.clone());
        prop_assert_eq!(flat(&grants), reasons(&uses));
        for (repository, readers) in grants.iter() {
            prop_assert_eq!(repository.registry, registry, "nobody else's policies are ours");
            prop_assert!(!readers.contains_key(&registry), "the registry's own account is listed");
            prop_assert!(!readers.is_empty() && readers.values().all(|because| !because.is_empty()), "a grant without a reason");
            prop_assert_eq!(&grants.readers(repository), readers);
        }
        prop_assert_eq!(grants.repositories().count(), grants.iter().count());

        let backwards: Vec<ImageUse> = uses.iter().rev().cloned().collect();
        prop_assert_eq!(&Grants::desired(registry, backwards), &grants, "the order counts");
        let twice: Vec<ImageUse> = uses.iter().chain(&uses).cloned().collect();
        prop_assert_eq!(&Grants::desired(registry, twice), &grants, "the number counts");

        if !uses.is_empty() {
            let mut rest = uses;
            rest.remove(gone.index(rest.len()));
            let less = flat(&Grants::desired(registry, rest.clone()));
            prop_assert!(less.is_subset(&flat(&grants)));
            prop_assert_eq!(less, reasons(&rest), "the last reason went and the reader stayed");
        }
    }
}

// ---- Policy lanes ---------------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum LaneDeed {
    Want(BTreeSet<u64>),
    Again,
    /// The write reaches ECR; whether anybody hears of it is another question.
    Land,
    Applied,
    Failed,
    Missing,
    Stranger,
}

fn lane_deed() -> impl Strategy<Value = LaneDeed> {
    prop_oneof![
        4 => btree_set(2..6_u64, 0..4).prop_map(LaneDeed::Want),
        1 => Just(LaneDeed::Again),
        2 => Just(LaneDeed::Land),
        2 => Just(LaneDeed::Applied),
        2 => Just(LaneDeed::Failed),
        1 => Just(LaneDeed::Missing),
        1 => Just(LaneDeed::Stranger),
    ]
}

struct Ecr {
    lane: PolicyLane,
    /// What the policy really says.
    policy: BTreeSet<AccountId>,
    jobs: u64,
    told: u32,
}

impl Ecr {
    fn job(&mut self) -> JobId {
        self.jobs += 1;
        id(self.jobs)
    }

    fn take(&mut self, input: LaneInput) -> Result<Vec<LaneEffect>, TestCaseError> {
        let was = self.lane.writing.clone();
        let ends = matches!(input, LaneInput::Applied { .. } | LaneInput::Failed { .. });
        let step = self
            .lane
            .step(input)
            .map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        self.lane = step.next;
        let writes: Vec<_> = step
            .effects
            .iter()
            .filter_map(|effect| match effect {
                LaneEffect::Write(job, readers) => Some((*job, readers.clone())),
                LaneEffect::TellWaiting => None,
            })
            .collect();
        prop_assert!(
            writes.len() <= 1 && (was.is_none() || ends || writes.is_empty()),
            "two writers"
        );
        prop_assert_eq!(step.effects.contains(&LaneEffect::TellWaiting), ends);
        match writes.first() {
            Some(write) => prop_assert_eq!(self.lane.writing.as_ref(), Some(write)),
            None if ends => prop_assert_eq!(&self.lane.writing, &None),
            None => prop_assert_eq!(&self.lane.writing, &was),
        }
        self.told += u32::from(ends);
        Ok(step.effects)
    }

    fn end(&mut self, well: bool, missing: bool) -> Result<(), TestCaseError> {
        let then = self.job();
        let Some((job, readers)) = self.lane.writing.clone() else {
            return Ok(());
        };
        let input = if well {
            self.policy = readers;
            LaneInput::Applied { job, then }
        } else {
            LaneInput::Failed {
                job,
                why: "no".to_owned(),
                missing,
                then,
            }
        };
        if missing {
            self.policy.clear();
        }
        self.take(input)?;
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let lane = &self.lane;
        for number in 1..7 {
            let one = account(number);
            if lane.can_pull(one) {
                prop_assert!(self.policy.contains(&one), "{} is said to pull and cannot", one);
            }
            if self.policy.contains(&one) {
                prop_assert!(
                    lane.accounts().contains(&one),
                    "{} can pull and is nowhere seen",
                    one
                );
            }
            prop_assert_eq!(
                lane.word(one) == "APPLIED",
                lane.wanted.contains(&one) && lane.can_pull(one)
            );
        }
        // At rest, either all is as wanted, or it says why not.
        if lane.writing.is_none() {
            match &lane.blocked {
                None => prop_assert!(lane.wanted == self.policy && lane.perhaps.is_empty()),
                Some(blocked) if blocked.missing => prop_assert!(self.policy.is_empty()),
                Some(blocked) => prop_assert_eq!(&blocked.wanted, &lane.wanted),
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn a_lane_converges_with_one_writer(deeds in vec(lane_deed(), 1..40)) {
        let lane = PolicyLane::new(repository("web"));
        let mut ecr = Ecr { lane, policy: BTreeSet::new(), jobs: 0, told: 0 };
        for deed in deeds {
            match deed {
                LaneDeed::Want(readers) => {
                    let (readers, job) = (readers.into_iter().map(account).collect::<BTreeSet<_>>(), ecr.job());
                    ecr.take(LaneInput::Want { readers: readers.clone(), job })?;
                    let before = ecr.lane.clone();
                    let job = ecr.job();
                    let again = ecr.take(LaneInput::Want { readers, job })?;
                    prop_assert!(again.is_empty() && ecr.lane == before, "a repeated wish had an effect");
                }
                LaneDeed::Again => {
                    let job = ecr.job();
                    ecr.take(LaneInput::Again { job })?;
                    prop_assert!(ecr.lane.writing.is_some());
                }
                LaneDeed::Land => {
                    if let Some((_, readers)) = &ecr.lane.writing {
                        ecr.policy.clone_from(readers);
                    }
                }
                LaneDeed::Applied => ecr.end(true, false)?,
                LaneDeed::Failed => ecr.end(false, false)?,
                LaneDeed::Missing => ecr.end(false, true)?,
                LaneDeed::Stranger => {
                    let (job, then) = (id(9_999), id(9_998));
                    let failed = LaneInput::Failed { job, why: String::new(), missing: true, then };
                    for input in [LaneInput::Applied { job, then }, failed] {
                        prop_assert!(ecr.lane.step(input).is_err());
                    }
                }
            }
            ecr.check()?;
        }
        let json = serde_json::to_string(&ecr.lane).unwrap();
        prop_assert_eq!(&serde_json::from_str::<PolicyLane>(&json).unwrap(), &ecr.lane);
        // Failures come to an end by themselves: nobody writes round and round.
        let mut patience = 4;
        while ecr.lane.writing.is_some() {
            ecr.end(false, false)?;
            ecr.check()?;
            patience -= 1;
            prop_assert!(patience > 0, "it tries for ever");
        }
        // And from there one more look, and luck, are enough.
        let job = ecr.job();
        ecr.take(LaneInput::Again { job })?;
        ecr.end(true, false)?;
        ecr.check()?;
        prop_assert_eq!(&ecr.policy, &ecr.lane.wanted);
        prop_assert_eq!(&ecr.lane.applied, &ecr.lane.wanted);
        prop_assert_eq!(&ecr.lane.blocked, &None);
    }
}

/// Rows that were stored before these fields existed.
#[test]
fn a_lane_without_the_newer_fields_is_read() {
    let lane = PolicyLane::new(repository("web"));
    let mut json = serde_json::to_value(&lane).unwrap();
    for field in ["perhaps", "again"] {
        json.as_object_mut().unwrap().remove(field).unwrap();
    }
    assert_eq!(serde_json::from_value::<PolicyLane>(json).unwrap(), lane);
}

// ---- Names of stacks ------------------------------------------------------------------------------------------------

/// A name of that many characters, of few letters, so that names that look alike are common. Regular expressions would
/// make the same, a hundred times slower.
fn name(seed: u64, long: bool) -> String {
    let mut rng = Rng::new(seed);
    let length = if long { 60 + rng.below(40) } else { rng.below(7) };
    let letters = if long || seed.is_multiple_of(2) {
        b"0123456789ABCXYZabcxyz-_".as_slice()
    } else {
        b"ab-_".as_slice()
    };
    let mut name = rng.pick(&["a", "b", "7", "Z"]).to_string();
    name.extend((0..length).map(|_| char::from(*rng.pick(letters))));
    name
}

fn names() -> impl Strategy<Value = String> {
    (any::<u64>(), prop::bool::weighted(0.2)).prop_map(|(seed, long)| name(seed, long))
}

fn target() -> impl Strategy<Value = Target> {
    (0..4, names(), names()).prop_map(|(kind, one, other)| match kind {
        0 => Target::Environment(one.parse().unwrap()),
        1 => Target::Instance(one.parse().unwrap(), other.parse().unwrap()),
        2 => Target::Pipeline(one.parse().unwrap()),
        _ => Target::Component(one.parse().unwrap()),
    })
}

fn prefix() -> impl Strategy<Value = StackPrefix> {
    select(vec![
        "AWSProton-",
        "x",
        "Hadron-Production-in-the-Whole-Company--",
    ])
    .prop_map(|text| text.parse().unwrap())
}

/// What a suffix may be: letters and digits.
fn suffix() -> impl Strategy<Value = String> {
    any::<u64>().prop_map(|seed| {
        let mut rng = Rng::new(seed);
        let length = if rng.chance(60) { 10 } else { 1 + rng.below(32) };
        (0..length)
            .map(|_| char::from(*rng.pick(b"abcdefghijklmnopqrstuvwxyz234567")))
            .collect()
    })
}

fn check_stack_name(name: &str) -> Result<(), TestCaseError> {
    prop_assert!(name.len() <= 128, "{} characters: {}", name.len(), name);
    prop_assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{}", name);
    prop_assert!(
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        "{}",
        name
    );
    Ok(())
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn stack_names_are_valid_and_tell_incarnations_apart(
        (a, b) in (target(), target()),
        prefix in prefix(),
        (one, other) in (suffix(), suffix()),
    ) {
        for (target, suffix) in [(&a, &one), (&b, &one), (&a, &other), (&b, &other)] {
            let name = target.stack_name(&prefix, suffix);
            check_stack_name(&name)?;
            prop_assert!(name.starts_with(prefix.as_str()), "{}", name);
            prop_assert!(name.ends_with(&format!("-cloudformation-{suffix}")), "{}", name);
        }
        // The suffix alone tells two stacks apart, whatever they belong to.
        if one != other {
            prop_assert_ne!(a.stack_name(&prefix, &one), b.stack_name(&prefix, &other));
        }
    }

    /// With one suffix: of one kind, only service and instance can be put together in two ways.
    #[test]
    fn names_of_a_kind_stay_apart_by_themselves(a in names(), b in names(), prefix in prefix()) {
        let looks_like: String = a.replace('_', "-");
        for b in [b, looks_like.clone(), looks_like.replace('-', "_"), format!("{a}-"), format!("{a}_")] {
            let (Ok(one), Ok(other)) = (a.parse(), b.parse()) else { continue };
            if a != b {
                let (one, other) = (Target::Environment(one), Target::Environment(other));
                prop_assert_ne!(one.stack_name(&prefix, "x"), other.stack_name(&prefix, "x"), "{} {}", a, b);
            }
        }
    }

    #[test]
    fn changed_names_of_instances_stay_apart(a in names(), b in names(), c in names()) {
        let instance = |service: &str, name: &str| Some(Target::Instance(service.parse().ok()?, name.parse().ok()?));
        let (Some(one), Some(other)) = (instance(&format!("x{a}-x{b}"), &format!("x{c}")), instance(&format!("x{a}"), &format!("x{b}-x{c}"))) else {
            return Ok(());
        };
        let prefix = StackPrefix::proton();
        let plain = format!("x{a}-x{b}-x{c}");
        let changed = plain.contains('_') || plain.len() + "AWSProton-".len() + "-cloudformation-y".len() > 128;
        prop_assert_eq!(one.stack_name(&prefix, "y") != other.stack_name(&prefix, "y"), changed);
    }

    #[test]
    fn targets_come_back_as_they_were(target in target()) {
        let json = serde_json::to_string(&target).unwrap();
        prop_assert_eq!(serde_json::from_str::<Target>(&json).unwrap(), target);
    }
}

// ---- Authority ------------------------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn own_account_means_the_proven_one(
        role in select(Role::ALL.to_vec()),
        action in select(Action::ALL.to_vec()),
        own in prop::option::of(1..4_u64),
        asked in 1..4_u64,
    ) {
        let caller = Caller::new(Principal::new("somebody"), own.map(account), role);
        let reach = reach(role, action);
        prop_assert_eq!(caller.may(action).is_ok(), reach != Reach::None);
        let expected = match reach {
            Reach::None => false,
            Reach::OwnAccount => own == Some(asked),
            Reach::Everything => true,
        };
        prop_assert_eq!(caller.may_at(action, &Place::account(account(asked))).is_ok(), expected);
        prop_assert_eq!(role.word().parse::<Role>().unwrap(), role);
        // Auditors read, but for values, and nothing else.
        let reads = action.words().starts_with("read ") && action != Action::ReadPlaintext;
        let all = if reads { Reach::Everything } else { Reach::None };
        prop_assert!(role != Role::Auditor || reach == all);
    }

    /// Against the rules as a person would say them, one right and one thing after another.
    #[test]
    fn rights_are_what_the_rules_say(
        rights in prop::collection::vec(right(), 0..5),
        action in select(Action::ALL.to_vec()),
        own in prop::option::of(1..4_u64),
        place in place(),
    ) {
        let caller = Caller { principal: Principal::new("somebody"), account: own.map(account), rights: rights.clone() };
        let allowed = caller.may_at(action, &place).is_ok();
        prop_assert_eq!(allowed, oracle(&rights, own.map(account), action, &place), "{:?} {:?}", rights, place);
        if allowed {
            prop_assert!(caller.may(action).is_ok());
        }
        // What was masked is never written: whoever may change a thing may read what it holds. Those who ask to be connected, and
        // what is the hub's own, have nothing that is masked.
        use Action as A;
        let holds = matches!(
            action,
            A::WriteEnvironment | A::WriteService | A::WriteComponent | A::WriteServiceSync | A::CancelDeployment
                | A::DeleteDeployment | A::NotifyDeployment
        );
        prop_assert!(!(allowed && holds) || caller.may_read_plaintext(&place), "{:?} {:?}", rights, place);
        // What may be changed may be found.
        let sight = caller.may(action);
        prop_assert!(!allowed || sight.unwrap().covers(&place) || demand(action) == Demand::Nothing);
        // More rights never allow less.
        for role in Role::ALL {
            let mut more = caller.clone();
            more.rights.push(Right::everywhere(role));
            prop_assert!(!allowed || more.may_at(action, &place).is_ok());
        }
    }

    #[test]
    fn scopes_come_back_as_they_were(right in right()) {
        prop_assert_eq!(right.scope.to_string().parse::<Scope>().unwrap(), right.scope);
    }
}

fn right() -> impl Strategy<Value = Right> {
    let scope = prop_oneof![
        Just(Scope::Hub),
        (1..4_u64).prop_map(|number| Scope::Account(account(number))),
        select(vec!["e1", "e2"]).prop_map(|name| Scope::Environment(name.parse().unwrap())),
        select(vec!["s1", "s2"]).prop_map(|name| Scope::Service(name.parse().unwrap())),
    ];
    (select(Role::ALL.to_vec()), scope).prop_filter_map("a right that can be had", |(role, scope)| {
        Right::new(role, scope).ok()
    })
}

fn place() -> impl Strategy<Value = Place> {
    let environment = prop::option::of(select(vec!["e1", "e2", "e3"]));
    let service = prop::option::of(select(vec!["s1", "s2", "s3"]));
    (prop::option::of(1..4_u64), environment, service).prop_map(|(number, environment, service)| Place {
        account: number.map(account),
        environment: environment.map(|name| name.parse().unwrap()),
        service: service.map(|name| name.parse().unwrap()),
    })
}

/// Whether a right covers a thing in this respect.
fn within(right: &Right, place: &Place, respect: &str) -> bool {
    match &right.scope {
        Scope::Hub => true,
        Scope::Account(own) => respect != "service" && place.account == Some(*own),
        Scope::Environment(name) => respect != "service" && place.environment.as_ref() == Some(name),
        Scope::Service(name) => respect != "environment" && place.service.as_ref() == Some(name),
    }
}

fn oracle(rights: &[Right], own: Option<AccountId>, action: Action, place: &Place) -> bool {
    let far: Vec<&Right> = rights
        .iter()
        .filter(|right| reach(right.role, action) == Reach::Everything)
        .collect();
    let everywhere = far.iter().any(|right| right.scope == Scope::Hub);
    let some = |respect: &str| far.iter().any(|right| within(right, place, respect));
    let by_far = match demand(action) {
        Demand::Hub => everywhere,
        Demand::Nothing => !far.is_empty(),
        Demand::Any => some("any"),
        Demand::Environment => some("environment"),
        Demand::Service => some("service"),
        Demand::Both => some("service") && (place.environment.is_none() || some("environment")),
    };
    let by_own = rights.iter().any(|right| {
        let proven = own.is_some() && own == place.account;
        reach(right.role, action) == Reach::OwnAccount
            && match &right.scope {
                Scope::Hub => proven,
                // Only the account itself asks to be connected.
                Scope::Account(account)
                    if right.role == Role::Owner && action != Action::RequestConnection =>
                {
                    place.account == Some(*account)
                }
                Scope::Account(account) => proven && own == Some(*account),
                Scope::Environment(_) | Scope::Service(_) => false,
            }
    });
    by_far || by_own
}

// ---- Rows -----------------------------------------------------------------------------------------------------------

fn comes_back<T>(what: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let json = serde_json::to_string(what).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), what, "{json}");
}

#[test]
fn what_is_stored_comes_back_as_it_was() {
    let states = [
        JobState::Ready { not_before: at(1) },
        JobState::Leased {
            holder: id(2),
            expires: at(3),
            started: true,
        },
        JobState::Finished { at: at(4) },
        JobState::Void { at: at(5) },
    ];
    for state in states {
        comes_back(&Job {
            state,
            fence: u64::MAX,
            attempts: 2,
            losses: 1,
            handovers: 1,
            ..Job::new(id(1), at(0))
        });
    }
    let phases = [
        Phase::Waiting {
            grants: BTreeSet::from([repository("web")]),
        },
        Phase::Running {
            job: id(1),
            taken: true,
            authorised: Some(Authorised::Execute("arn".to_owned())),
        },
        Phase::Cancelling {
            job: id(1),
            asked: signed(2),
        },
        Phase::Ended {
            how: Ending::Failed("why".to_owned()),
            at: at(3),
        },
    ];
    for phase in phases {
        comes_back(&Deployment {
            id: id(1),
            intent: Intent::Destroy,
            phase,
        });
    }
    let set = BTreeSet::from([common::instance("a")]);
    comes_back(&Doing::Updating {
        adding: set.clone(),
        removing: set,
        stage: Stage::Undoing,
    });
    comes_back(&BTreeMap::from([(
        "a".to_owned(),
        VersionState::Failed("b".to_owned()),
    )]));
    comes_back(&"env:3".parse::<CompatibleTemplate>().unwrap());
}
