//! All attacks, by number.

use super::How::{LeftOut, Real, Tested};
use super::{Attack, agents, api, documents, enrolment, proofs, rights, sessions, ssrf, templates, trails};

macro_rules! real {
    ($id:literal, $group:literal, $run:path, $what:literal) => {
        Attack {
            id: $id,
            group: $group,
            what: $what,
            how: Real(|ground, case| Box::pin($run(ground, case))),
        }
    };
}

/// Attacks that are made only in part: what of them is left out, and why.
pub(super) const IN_PART: &[(&str, &str)] = &[
    (
        "AT-40",
        "missing and foreign signatures: by tests/scenarios/approvals.rs, on real processes; another digest than announced is tried here",
    ),
    (
        "AT-81",
        "names that lead inside and redirections: by tests of management/src/webhook.rs, since no name of an emulated network leads anywhere",
    ),
    (
        "AT-94",
        "reading values: by management/tests/app/masked.rs, over every use case and the whole Proton API; writing is tried here",
    ),
    (
        "AT-96",
        "tokens of OIDC (none, HS256, kid, expired, audience): by management/tests/app/oidc.rs; page tokens are tried here",
    ),
];

/// All attacks.
pub const ATTACKS: &[Attack] = &[
    real!(
        "AT-01",
        "enrolment",
        enrolment::other_account,
        "Enrol for a connection with the proof of another account"
    ),
    real!(
        "AT-02",
        "enrolment",
        enrolment::pending,
        "Enrol for a connection that nobody has accepted"
    ),
    real!(
        "AT-03",
        "enrolment",
        enrolment::rejected,
        "Enrol for a connection that was rejected"
    ),
    real!(
        "AT-04",
        "enrolment",
        enrolment::deleted,
        "Enrol for a connection that was deleted, or never was"
    ),
    real!(
        "AT-05",
        "enrolment",
        enrolment::account_ids,
        "Name accounts that are none"
    ),
    real!(
        "AT-06",
        "enrolment",
        enrolment::other_role,
        "Enrol as another role of the right account"
    ),
    real!(
        "AT-07",
        "enrolment",
        proofs::no_role,
        "Enrol as a user, or with an answer of STS that does not fit together"
    ),
    Attack {
        id: "AT-08",
        group: "enrolment",
        what: "Enrol as root",
        how: Tested(
            "with an emulator, which all processes of this suite have as AWS, roots may enrol",
            &[
                (
                    "management/src/identity/enrolment_tests.rs",
                    "emulated_keys_count_only_with_an_emulator",
                ),
                (
                    "management/src/identity/enrolment_tests.rs",
                    "other_identities_are_refused",
                ),
            ],
        ),
    },
    real!(
        "AT-09",
        "enrolment",
        proofs::role_made_anew,
        "Enrol as a role of the same name that was made anew"
    ),
    real!("AT-10", "enrolment", proofs::regions, "Make a host of the Region"),
    real!(
        "AT-11",
        "enrolment",
        proofs::tokens,
        "Put headers into the session token"
    ),
    real!(
        "AT-12",
        "enrolment",
        proofs::scalars,
        "Put line breaks into date, signature and key id"
    ),
    real!(
        "AT-13",
        "enrolment",
        proofs::signatures,
        "Send signatures of another form"
    ),
    real!(
        "AT-14",
        "enrolment",
        proofs::unknown_fields,
        "Send a URL, headers and a body in fields that nobody knows"
    ),
    Attack {
        id: "AT-15",
        group: "enrolment",
        what: "Have STS answer XML",
        how: Tested(
            "an emulator may answer XML, and all processes of this suite have one as AWS",
            &[(
                "management/src/identity/sts_tests.rs",
                "no_other_answer_is_believed",
            )],
        ),
    },
    real!(
        "AT-16",
        "enrolment",
        proofs::redirected,
        "Have STS send the hub elsewhere"
    ),
    real!(
        "AT-17",
        "enrolment",
        proofs::odd_answers,
        "Have STS answer twice, too much, or something else"
    ),
    Attack {
        id: "AT-18",
        group: "enrolment",
        what: "Answer for STS without its certificate",
        how: Tested(
            "the address of the real STS cannot be led here",
            &[(
                "management/src/identity/sts_tests.rs",
                "a_server_without_a_public_certificate_is_not_sts",
            )],
        ),
    },
    real!("AT-19", "enrolment", enrolment::replayed, "Send a proof again"),
    real!(
        "AT-20",
        "enrolment",
        enrolment::at_another_hub,
        "Use a proof at another hub"
    ),
    real!(
        "AT-22",
        "enrolment",
        enrolment::other_times,
        "Send a proof of another time"
    ),
    real!(
        "AT-23",
        "enrolment",
        enrolment::another_key,
        "Use a proof with another key"
    ),
    real!(
        "AT-24",
        "enrolment",
        enrolment::requests_for_certificates,
        "Ask for a CA's or another's certificate"
    ),
    real!(
        "AT-26",
        "enrolment",
        enrolment::two_at_once,
        "Answer one challenge several times at once"
    ),
    real!(
        "AT-27",
        "enrolment",
        proofs::long_lived_keys,
        "Enrol with a long-lived key"
    ),
    // Behind those that need a challenge for the same account.
    real!(
        "AT-25",
        "enrolment",
        enrolment::challenges,
        "Open challenges without end, and learn from it what there is"
    ),
    // Last, since it waits for the minute to be over.
    real!(
        "AT-21",
        "enrolment",
        enrolment::too_late,
        "Answer a challenge 61 s later"
    ),
    real!(
        "AT-28",
        "sessions",
        sessions::rejected_meanwhile,
        "Go on after the connection was rejected"
    ),
    real!(
        "AT-29",
        "sessions",
        sessions::expired,
        "Come with a certificate that has ended"
    ),
    real!(
        "AT-30",
        "sessions",
        sessions::outlived,
        "Stay for longer than the certificate"
    ),
    real!(
        "AT-31",
        "sessions",
        sessions::jobs_of_others,
        "Speak about jobs of another account"
    ),
    real!("AT-32", "sessions", sessions::guessed_jobs, "Guess jobs"),
    real!(
        "AT-33",
        "sessions",
        sessions::forged,
        "Come with certificates that no hub gave"
    ),
    real!(
        "AT-34",
        "sessions",
        sessions::no_certificate,
        "Come without one, in older TLS, with a long chain, or say nothing"
    ),
    real!(
        "AT-35",
        "sessions",
        sessions::other_ports,
        "Call the methods of one port at another"
    ),
    real!(
        "AT-36",
        "sessions",
        sessions::reports,
        "Report jobs that one does not hold"
    ),
    real!(
        "AT-37",
        "sessions",
        sessions::outputs,
        "Report outputs that are too large, or no text"
    ),
    real!(
        "AT-38",
        "agents",
        agents::other_roles,
        "Have an agent pass other roles"
    ),
    real!(
        "AT-39",
        "agents",
        agents::other_stacks,
        "Have an agent change other stacks"
    ),
    real!(
        "AT-40",
        "agents",
        agents::other_templates,
        "Give an agent another template than announced"
    ),
    real!(
        "AT-41",
        "agents",
        agents::other_regions,
        "Have an agent act in other Regions and accounts"
    ),
    Attack {
        id: "AT-42",
        group: "agents",
        what: "Make IAM users with capabilities that nobody approved",
        how: Tested(
            "a scenario does it to real processes",
            &[
                (
                    "tests/scenarios/approvals.rs",
                    "what_a_template_needs_and_contains_is_the_owners_and_the_administrators_decision",
                ),
                (
                    "agent/src/limits/tests.rs",
                    "a_job_gets_no_capability_that_the_account_does_not_give",
                ),
            ],
        ),
    },
    Attack {
        id: "AT-43",
        group: "agents",
        what: "Have CloudFormation include what is elsewhere",
        how: Tested(
            "a scenario does it to real processes",
            &[
                (
                    "tests/scenarios/approvals.rs",
                    "what_a_template_needs_and_contains_is_the_owners_and_the_administrators_decision",
                ),
                ("agent/src/limits/tests.rs", "what_a_template_says_itself_counts"),
            ],
        ),
    },
    real!(
        "AT-44",
        "agents",
        agents::nested_stacks,
        "Nest stacks from foreign buckets, and hide them"
    ),
    Attack {
        id: "AT-45",
        group: "agents",
        what: "Read secrets by dynamic references",
        how: Tested(
            "a scenario does it to real processes",
            &[
                (
                    "tests/scenarios/approvals.rs",
                    "what_a_template_needs_and_contains_is_the_owners_and_the_administrators_decision",
                ),
                ("agent/src/limits/tests.rs", "what_a_template_says_itself_counts"),
            ],
        ),
    },
    real!(
        "AT-97",
        "agents",
        agents::readers,
        "Have pulls granted to everybody, or to what is no account"
    ),
    real!(
        "AT-98",
        "agents",
        agents::registries,
        "Have pulls granted from another registry"
    ),
    real!(
        "AT-99",
        "agents",
        agents::full_policies,
        "Have a policy written that has no room"
    ),
    real!(
        "AT-100",
        "agents",
        agents::our_names,
        "Write a statement with the name of ours"
    ),
    real!(
        "AT-101",
        "agents",
        agents::odd_policies,
        "Write policies that are hard to read"
    ),
    real!(
        "AT-46",
        "templates",
        templates::more_resources,
        "Type resources into an input"
    ),
    real!(
        "AT-47",
        "templates",
        templates::templates_in_values,
        "Type a template into an input"
    ),
    real!(
        "AT-48",
        "templates",
        templates::tags_and_anchors,
        "Type tags and anchors into an input"
    ),
    real!(
        "AT-49",
        "templates",
        templates::json_quotes,
        "Type quotes into an input of a JSON template"
    ),
    real!("AT-50", "templates", templates::loops, "Loop for ever"),
    real!(
        "AT-51",
        "templates",
        templates::doubling,
        "Double a text until memory ends"
    ),
    real!(
        "AT-52",
        "templates",
        templates::growing_filters,
        "Let filters make gigabytes"
    ),
    real!("AT-53", "templates", templates::recursion, "Nest and recurse"),
    real!(
        "AT-54",
        "templates",
        templates::ranges,
        "Make long lists and large numbers"
    ),
    real!(
        "AT-55",
        "templates",
        templates::escapes,
        "Get at files and at what is inside"
    ),
    real!(
        "AT-56",
        "templates",
        templates::large_results,
        "Render two gigabytes"
    ),
    real!("AT-57", "documents", documents::parents, "Leave the bundle by .."),
    real!(
        "AT-58",
        "documents",
        documents::absolute,
        "Name files from the root, or as Windows does"
    ),
    real!(
        "AT-59",
        "documents",
        documents::symbolic_links,
        "Put symbolic links into a bundle"
    ),
    real!(
        "AT-60",
        "documents",
        documents::hard_links,
        "Put hard links into a bundle"
    ),
    real!(
        "AT-61",
        "documents",
        documents::devices,
        "Put devices and pipes into a bundle"
    ),
    real!(
        "AT-62",
        "documents",
        documents::bombs,
        "Pack a gigabyte into a megabyte"
    ),
    real!(
        "AT-63",
        "documents",
        documents::too_much,
        "Exceed each of the quotas by one"
    ),
    real!("AT-64", "documents", documents::twice, "Name a file twice"),
    real!(
        "AT-65",
        "documents",
        documents::lying_headers,
        "Lie in the headers of an archive"
    ),
    real!(
        "AT-66",
        "documents",
        documents::no_archives,
        "Send what is no archive"
    ),
    real!(
        "AT-67",
        "documents",
        documents::aliases,
        "Send aliases of aliases"
    ),
    real!("AT-68", "documents", documents::depth, "Nest ten thousand deep"),
    real!("AT-69", "documents", documents::keys_twice, "Write a key twice"),
    real!("AT-70", "documents", documents::merge_keys, "Merge keys"),
    real!(
        "AT-71",
        "documents",
        documents::odd_texts,
        "Send megabytes, anchors and other encodings"
    ),
    real!(
        "AT-72",
        "documents",
        documents::patterns,
        "Write patterns that take for ever"
    ),
    real!(
        "AT-73",
        "documents",
        documents::references,
        "Refer to what is elsewhere"
    ),
    real!("AT-74", "documents", documents::circles, "Refer to oneself"),
    real!(
        "AT-75",
        "documents",
        documents::many,
        "Write a schema that multiplies"
    ),
    real!(
        "AT-76",
        "documents",
        documents::defaults,
        "Write defaults that are none"
    ),
    real!("AT-77", "ssrf", ssrf::buckets, "Name buckets that are hosts"),
    real!(
        "AT-78",
        "ssrf",
        ssrf::keys,
        "Name objects with a query or a line break"
    ),
    real!(
        "AT-79",
        "ssrf",
        ssrf::other_owner,
        "Name a bucket of somebody else's"
    ),
    Attack {
        id: "AT-80",
        group: "ssrf",
        what: "Name repositories that run commands",
        how: LeftOut("nothing is read from Git repositories yet"),
    },
    real!("AT-81", "ssrf", ssrf::webhooks, "Have a webhook lead inside"),
    Attack {
        id: "AT-82",
        group: "ssrf",
        what: "Name an issuer of OIDC without TLS, or one inside",
        how: Tested(
            "a hub with such a configuration does not start",
            &[
                (
                    "management/src/config/tests.rs",
                    "issuers_are_for_people_or_for_workloads",
                ),
                (
                    "management/tests/app/oidc.rs",
                    "an_issuer_that_only_this_machine_can_reach_is_not_called",
                ),
            ],
        ),
    },
    real!(
        "AT-83",
        "api",
        api::large_bodies,
        "Send bodies that are too large, or never end"
    ),
    real!("AT-84", "api", api::deep_json, "Nest JSON ten thousand deep"),
    real!(
        "AT-85",
        "api",
        api::odd_json,
        "Send JSON that readers read differently"
    ),
    real!(
        "AT-86",
        "api",
        api::odd_requests,
        "Send HTTP that readers read differently"
    ),
    real!("AT-87", "api", api::slow_loris, "Send slowly on 500 connections"),
    real!("AT-88", "api", api::http2_floods, "Flood with frames of HTTP/2"),
    real!(
        "AT-89",
        "api",
        api::grpc_messages,
        "Send gRPC messages that are large, nested or compressed"
    ),
    real!("AT-90", "api", api::signatures, "Spoil signatures"),
    real!(
        "AT-91",
        "rights",
        rights::developers_accept,
        "Accept a connection as a developer"
    ),
    real!(
        "AT-92",
        "rights",
        rights::others_connections,
        "Look at another account's connection"
    ),
    real!(
        "AT-93",
        "rights",
        rights::other_environments,
        "Deploy to an environment that one may not"
    ),
    real!("AT-94", "rights", rights::auditors_write, "Write as an auditor"),
    real!(
        "AT-95",
        "rights",
        rights::more_fields,
        "Send fields that only answers have"
    ),
    real!("AT-96", "rights", rights::page_tokens, "Forge page tokens"),
    real!(
        "AT-102",
        "rights",
        trails::canaries,
        "Find what was typed in a log"
    ),
    real!("AT-103", "rights", trails::log_lines, "Forge lines of a log"),
    real!("AT-104", "rights", trails::metrics, "Let the metrics grow"),
    real!("AT-105", "rights", trails::edited, "Edit the audit log"),
    real!("AT-106", "rights", trails::deleted, "Delete from the audit log"),
    Attack {
        id: "AT-107",
        group: "rights",
        what: "Cut off the end of the audit log",
        how: Tested(
            "a scenario does it to real processes, with the copy of the checkpoints that it takes",
            &[
                (
                    "tests/scenarios/audit.rs",
                    "every_change_to_the_log_is_found_and_named_on_sqlite",
                ),
                (
                    "tests/scenarios/audit.rs",
                    "every_change_to_the_log_is_found_and_named_on_postgresql",
                ),
            ],
        ),
    },
];
