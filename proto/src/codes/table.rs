//! The table. Commands in it are whole: a test of the client parses each that begins with `hadron `.

use super::ErrorCode;

/// All codes, by number.
pub const ALL: &[&ErrorCode] = &[
    &HUB_UNREACHABLE,
    &HUB_NOT_TRUSTED,
    &CLOCK_SKEW,
    &VERSION_MISMATCH,
    &NOT_SIGNED_IN,
    &NOT_ALLOWED,
    &CONNECTION_PENDING,
    &CONNECTION_CLOSED,
    &ENVIRONMENT_TAKEN,
    &AGENT_AWAY,
    &NAME_TAKEN,
    &SPEC_INVALID,
    &CAPABILITY_NOT_APPROVED,
    &STILL_IN_USE,
    &DEPLOYMENT_IN_PROGRESS,
    &DEPLOYMENT_FAILED,
    &DELETION_FAILED,
    &HUB_BUSY,
    &DISK_FULL,
    &RESTORED,
];

/// No answer from the hub.
pub const HUB_UNREACHABLE: ErrorCode = ErrorCode {
    number: 1001,
    title: "the hub cannot be reached",
    meaning: "Nothing at the hub's address answers. Nothing was changed, or, when the connection broke in the middle, it is \
              not known whether something was: the same command with the same --request-id does nothing twice.",
    causes: &[
        "the address or the port is wrong: the hub's API listener is 8443 unless listen.api says otherwise",
        "the hub does not run, or is being restarted",
        "a firewall, a missing VPN or a proxy stands in between",
    ],
    look: &[
        (
            "hadron doctor",
            "goes from the settings over name and port to the certificate, and stops where it fails",
        ),
        ("hadron config view", "which address holds, and what set it"),
    ],
    ways: &[
        (
            "name another address",
            "hadron doctor --hub https://hub.example.com:8443",
        ),
        (
            "on the hub's machine, see why it does not run",
            "journalctl -u hadron-hub",
        ),
    ],
    reasons: &[],
};

/// Somebody answers, but not the hub that is trusted.
pub const HUB_NOT_TRUSTED: ErrorCode = ErrorCode {
    number: 1002,
    title: "the hub's certificate is not trusted",
    meaning: "Something answers at the hub's address, and its certificate is not from the CA that this machine was told to \
              trust. Nothing was sent to it, no token either.",
    causes: &[
        "the pin or the CA file is that of another hub, or the hub was set up anew",
        "a proxy or a balancer ends TLS in between; the API listener needs TCP to be passed through",
        "somebody pretends to be the hub",
        "nothing says what to trust: a profile's pin counts for the profile's own address only",
    ],
    look: &[
        (
            "hadron doctor",
            "which step fails, and what the certificate's fault is",
        ),
        ("hadron-hub admin pin", "on the hub's machine: the pin as it is"),
    ],
    ways: &[
        (
            "trust the hub by its pin",
            "hadron login --hub https://hub.example.com:8443 --hub-ca-pin sha256:...",
        ),
        (
            "or by its CA's certificate",
            "hadron login --hub https://hub.example.com:8443 --hub-ca ca.pem",
        ),
    ],
    reasons: &[],
};

/// The clocks are apart.
pub const CLOCK_SKEW: ErrorCode = ErrorCode {
    number: 1003,
    title: "the clocks of this machine and the hub are too far apart",
    meaning: "A proof of identity is good for two minutes around the hub's time. What was signed with a clock further off is \
              refused, since it could be an old one that somebody else repeats.",
    causes: &[
        "the clock of this machine runs without NTP, or the machine slept",
        "the clock of the hub does",
    ],
    look: &[
        (
            "hadron doctor",
            "how many seconds this machine is ahead or behind",
        ),
        ("timedatectl", "on both machines: whether the clock is set by NTP"),
    ],
    ways: &[
        ("set the clock by NTP", "timedatectl set-ntp true"),
        ("then log in", "hadron login"),
    ],
    reasons: &["STALE_PROOF"],
};

/// Programs that are too far apart.
pub const VERSION_MISMATCH: ErrorCode = ErrorCode {
    number: 1004,
    title: "the versions of this program, the hub or an agent do not fit",
    meaning: "Client, hub and agents work together when they are at most one minor version apart. What is further apart is not \
              tested, and what one of them does not know at all it refuses.",
    causes: &[
        "the client was updated before the hub, and asks for what the hub does not know",
        "an agent was forgotten in an update, and speaks another protocol than the hub",
    ],
    look: &[
        ("hadron version", "the versions of this program and of the hub"),
        ("hadron agent list", "the version of each agent"),
        ("hadron doctor", "compares all three"),
    ],
    ways: &[
        (
            "update the hub first, then the agents, then clients",
            "deploy/README.md",
        ),
        ("until then use the client of the hub's version", "hadron version"),
    ],
    reasons: &["PROTOCOL"],
};

/// Nobody knows who asks.
pub const NOT_SIGNED_IN: ErrorCode = ErrorCode {
    number: 2001,
    title: "the hub does not know who you are",
    meaning: "The call carries no token, or one that is unknown, expired or switched off.",
    causes: &[
        "you have not logged in, or the login has ended",
        "HADRON_TOKEN or a token file holds a token that is not good any more, and comes before your AWS credentials",
        "an administrator has switched the token off",
        "a one-time link into the console was used, or is older than a minute",
    ],
    look: &[
        ("hadron config view", "whether a token is given, and by what"),
        ("hadron whoami", "who you are to the hub, once it knows"),
    ],
    ways: &[
        ("log in with your AWS credentials", "hadron login"),
        ("log in at an issuer", "hadron login --oidc"),
        ("get a new link into the console", "hadron console"),
    ],
    reasons: &["UNAUTHENTICATED", "NO_CHALLENGE", "NO_LINK"],
};

/// Who asks may not.
pub const NOT_ALLOWED: ErrorCode = ErrorCode {
    number: 2002,
    title: "you may not do this",
    meaning: "The hub knows you, and no role of yours lets you do this, or not there. What was refused stands in the audit log.",
    causes: &[
        "your role is another one, or is played in another service or environment",
        "you are logged in as somebody else than you think",
        "your AWS identity has no role at this hub at all",
    ],
    look: &[
        ("hadron whoami", "who you are, and your roles"),
        (
            "hadron access list",
            "for administrators: who plays which role where",
        ),
    ],
    ways: &[
        (
            "have an administrator grant a role",
            "hadron access grant PRINCIPAL --role developer",
        ),
        ("or use other credentials", "hadron login --oidc"),
    ],
    reasons: &["DENIED", "NO_ROLE"],
};

/// Nobody has accepted it yet.
pub const CONNECTION_PENDING: ErrorCode = ErrorCode {
    number: 3001,
    title: "the environment account connection waits to be accepted",
    meaning: "The environment account has asked to be connected, and nobody in the management account has accepted that yet.",
    causes: &["an administrator has to look at the request and type the account's id"],
    look: &[
        ("hadron connection list", "all connections and how they stand"),
        (
            "hadron open connection CONNECTION",
            "who asked for it, with which role",
        ),
    ],
    ways: &[
        ("accept it", "hadron connection accept CONNECTION"),
        ("or refuse it", "hadron connection reject CONNECTION"),
    ],
    reasons: &["CONNECTION_PENDING"],
};

/// It is over with the connection.
pub const CONNECTION_CLOSED: ErrorCode = ErrorCode {
    number: 3002,
    title: "the environment account connection is not in force",
    meaning: "The connection was rejected, or it was deleted. Both are for good: nothing is deployed through it any more.",
    causes: &[
        "somebody rejected the request",
        "the environment account withdrew it, or an administrator deleted it",
    ],
    look: &[(
        "hadron connection list",
        "how each connection stands, and who decided",
    )],
    ways: &[
        (
            "ask again, from the environment account",
            "hadron connection request --environment NAME --management-account ACCOUNT --role-arn ARN",
        ),
        (
            "once that is accepted, have an environment use it",
            "hadron environment update NAME --connection CONNECTION",
        ),
    ],
    reasons: &["NOT_CONNECTED", "CONNECTION_REJECTED"],
};

/// Another account has it.
pub const ENVIRONMENT_TAKEN: ErrorCode = ErrorCode {
    number: 3003,
    title: "another connection already serves that environment",
    meaning: "An environment's name stands for one account in one Region. A second connection for the name is not accepted \
              while the first is in force, and an account has one live connection for a name.",
    causes: &[
        "the account was connected before, with another role",
        "two accounts ask for the same name",
    ],
    look: &[(
        "hadron connection list --environment NAME",
        "which connections there are for the name",
    )],
    ways: &[
        (
            "use the connection that is there",
            "hadron environment create NAME --template TEMPLATE --spec FILE",
        ),
        ("or end it first", "hadron connection delete CONNECTION"),
        ("or ask for another name", "hadron connection request --help"),
    ],
    reasons: &["ENVIRONMENT_TAKEN", "CONNECTION_EXISTS"],
};

/// Nobody takes the job.
pub const AGENT_AWAY: ErrorCode = ErrorCode {
    number: 3004,
    title: "no agent takes the job",
    meaning: "The deployment is accepted and waits: it begins by itself as soon as an agent of its account and Region is \
              there. Nothing is lost, and nothing has to be repeated.",
    causes: &[
        "the account's agent does not run, or cannot reach the hub",
        "the agent runs in another Region than the connection names",
        "the agent is busy with as many deployments as it may have at once",
        "a pull grant has to be written first, by the agent of the management account",
    ],
    look: &[
        (
            "hadron agent list",
            "which agents are online, and when the others were seen last",
        ),
        ("hadron deployment list --active", "what else is running"),
        (
            "journalctl -u hadron-agent",
            "on the agent's machine: why it cannot connect",
        ),
    ],
    ways: &[
        ("start the agent, on its machine", "systemctl start hadron-agent"),
        ("go on watching", "hadron deployment watch DEPLOYMENT"),
        ("or give up", "hadron deployment cancel DEPLOYMENT"),
    ],
    reasons: &[],
};

/// There is one already.
pub const NAME_TAKEN: ErrorCode = ErrorCode {
    number: 4001,
    title: "there is one of that name already",
    meaning: "Names are unique in a hub, for each kind of thing. Nothing was changed.",
    causes: &[
        "it was made before, perhaps by the same script",
        "somebody else uses the name",
        "it was deleted and its stack is still going",
    ],
    look: &[
        (
            "hadron environment list",
            "and the list of every other noun: what is there",
        ),
        (
            "hadron open environment NAME",
            "who made it, and what has become of it",
        ),
    ],
    ways: &[
        (
            "change what is there",
            "hadron environment update NAME --spec FILE",
        ),
        (
            "or take another name",
            "hadron environment create NAME --template TEMPLATE --spec FILE",
        ),
        (
            "in scripts, repeat a request with the same id: that gives the first answer again",
            "hadron service create NAME --template TEMPLATE --spec FILE --request-id ID",
        ),
    ],
    reasons: &[
        "ENVIRONMENT_EXISTS",
        "SERVICE_EXISTS",
        "COMPONENT_EXISTS",
        "TEMPLATE_EXISTS",
        "INSTANCE_EXISTS",
        "PIPELINE_EXISTS",
        "REPOSITORY_EXISTS",
        "SYNC_EXISTS",
        "KEY_EXISTS",
    ],
};

/// It does not fit.
pub const SPEC_INVALID: ErrorCode = ErrorCode {
    number: 4002,
    title: "a spec or a template is not valid",
    meaning: "The spec does not fit the template's schema, or the template cannot be rendered with it. Every fault is told with \
              its file, line and column; nothing was deployed.",
    causes: &[
        "a required input is missing, has another type, or a value that the schema does not allow",
        "an input is spelled otherwise than in the schema",
        "the template uses something that is not there, such as an output of another stack",
        "rendering takes more memory or time than is allowed",
    ],
    look: &[
        (
            "hadron template get TEMPLATE",
            "the template, its versions and where to find the schema",
        ),
        (
            "hadron template render FOLDER --spec FILE",
            "what comes of a bundle and a spec, on your machine",
        ),
    ],
    ways: &[
        (
            "check a bundle before it is registered",
            "hadron template lint FOLDER",
        ),
        (
            "mend the spec and try again",
            "hadron environment update NAME --spec FILE",
        ),
    ],
    reasons: &["FAULTS", "RENDER_LIMIT"],
};

/// An administrator has to approve it.
pub const CAPABILITY_NOT_APPROVED: ErrorCode = ErrorCode {
    number: 4003,
    title: "the template needs a capability that nobody has approved",
    meaning: "The template makes IAM resources or uses macros. CloudFormation wants that to be acknowledged, and Hadron leaves it \
              to an administrator, for each version of a template.",
    causes: &[
        "the version is new, and its predecessor was approved, not it",
        "the version makes IAM resources that it did not make before",
        "a component needs what components may not have at this hub",
    ],
    look: &[("hadron template get TEMPLATE", "the template and its versions")],
    ways: &[
        (
            "an administrator approves it",
            "hadron template approve TEMPLATE 1.0 --capability CAPABILITY_IAM",
        ),
        (
            "for components, allow it in the hub's configuration",
            "templates.component_capabilities",
        ),
    ],
    reasons: &["CAPABILITY_NOT_APPROVED"],
};

/// Others need it.
pub const STILL_IN_USE: ErrorCode = ErrorCode {
    number: 4004,
    title: "others still use it",
    meaning: "What others stand on cannot be removed before them. Nothing was changed.",
    causes: &[
        "service instances or components run in the environment",
        "something is deployed with the template version",
        "a service or a sync uses the repository",
    ],
    look: &[
        (
            "hadron instance list --environment NAME",
            "what runs in an environment",
        ),
        (
            "hadron environment list --template TEMPLATE",
            "which environments have a template",
        ),
    ],
    ways: &[
        (
            "remove what uses it first",
            "hadron instance delete SERVICE/INSTANCE",
        ),
        (
            "or move it to another version",
            "hadron instance update SERVICE/INSTANCE --minor",
        ),
    ],
    reasons: &[
        "ENVIRONMENT_IN_USE",
        "VERSION_IN_USE",
        "VERSION_RECOMMENDED",
        "TEMPLATE_HAS_VERSIONS",
        "REPOSITORY_IN_USE",
    ],
};

/// One after the other.
pub const DEPLOYMENT_IN_PROGRESS: ErrorCode = ErrorCode {
    number: 5001,
    title: "another deployment is in progress",
    meaning: "A stack is worked on by one deployment at a time. What was asked for was not queued: ask again when the other has \
              ended.",
    causes: &[
        "somebody else, a pipeline or a sync deploys just now",
        "an earlier deployment waits for an agent or a grant",
    ],
    look: &[
        (
            "hadron deployment list --active",
            "what runs now, since when, and for whom",
        ),
        ("hadron deployment watch --active", "all of it, live"),
    ],
    ways: &[
        ("wait for it", "hadron deployment watch DEPLOYMENT"),
        ("or try to stop it", "hadron deployment cancel DEPLOYMENT"),
    ],
    reasons: &["DEPLOYMENT_IN_PROGRESS", "SERVICE_BUSY"],
};

/// The stack needs somebody.
pub const DEPLOYMENT_FAILED: ErrorCode = ErrorCode {
    number: 5002,
    title: "the deployment failed, and its stack needs a way out",
    meaning: "CloudFormation, or the agent before it, could not do what was asked. CloudFormation has rolled the stack back where it \
              could. The deployment names the ways out that there are from the state that the stack is in now.",
    causes: &[
        "a resource could not be made or changed: the first failed one is the cause, the others follow",
        "the provisioning role may not do what the template needs",
        "the account's own policy in the agent's configuration forbids it",
        "the rollback failed as well, or somebody works on the stack outside Hadron",
    ],
    look: &[
        (
            "hadron deployment get DEPLOYMENT",
            "why it failed, what was planned, and the ways out",
        ),
        (
            "hadron deployment events DEPLOYMENT",
            "every event; look for the first that failed",
        ),
        (
            "hadron open deployment DEPLOYMENT",
            "the same with a timeline, in the console",
        ),
    ],
    ways: &[
        (
            "try the same again, when the cause is gone",
            "hadron environment update NAME --redeploy",
        ),
        ("change the spec", "hadron environment update NAME --spec FILE"),
        ("or remove it", "hadron environment delete NAME"),
    ],
    reasons: &[],
};

/// It cannot be removed.
pub const DELETION_FAILED: ErrorCode = ErrorCode {
    number: 5003,
    title: "the deletion failed, and the stack is still there",
    meaning: "CloudFormation could not delete every resource of the stack. What it has deleted is gone; what is left is still \
              recorded here, so that nothing is forgotten in the account.",
    causes: &[
        "a bucket is not empty, a security group is used elsewhere, termination protection is on",
        "the provisioning role may make the resource, but not delete it",
    ],
    look: &[
        (
            "hadron deployment events DEPLOYMENT",
            "which resource could not be deleted, and why",
        ),
        ("hadron environment resources NAME", "what is left of the stack"),
    ],
    ways: &[
        (
            "remove what holds it, and delete again",
            "hadron environment delete NAME",
        ),
        (
            "or leave the resource behind in the account",
            "hadron environment delete NAME --retain LOGICAL_ID",
        ),
    ],
    reasons: &[],
};

/// Later.
pub const HUB_BUSY: ErrorCode = ErrorCode {
    number: 6001,
    title: "the hub cannot answer just now",
    meaning: "The hub is there and cannot take this now: it is busy, it is being stopped, or its database does not answer. It \
              passes by itself as a rule; commands have tried some times already before they say so.",
    causes: &[
        "the hub is being restarted or updated",
        "the database server is being restarted, or is overloaded",
        "more calls, streams or renderings are under way than the hub's limits allow",
    ],
    look: &[
        ("hadron doctor", "whether the hub answers at all"),
        ("journalctl -u hadron-hub", "on the hub's machine: what it lacks"),
    ],
    ways: &[
        (
            "try again in a moment; with the same id nothing happens twice",
            "hadron deployment list --active",
        ),
        (
            "when it does not pass, look at the hub's limits",
            "render.workers, limits.api_calls, limits.api_streams",
        ),
    ],
    reasons: &[
        "UNAVAILABLE",
        "BUSY",
        "DRAINING",
        "STOPPING",
        "RENDERERS_BUSY",
        "RENDERER_LATE",
        "RENDERER_KILLED",
        "NO_RENDERER",
    ],
};

/// No room.
pub const DISK_FULL: ErrorCode = ErrorCode {
    number: 6002,
    title: "the hub's disk is full",
    meaning: "The hub's database has no room to write. What was asked for was not done. Reading works, and nothing that was \
              acknowledged is lost; agents finish what they have begun and report it when there is room.",
    causes: &[
        "the disk of the hub's data directory, or of the PostgreSQL server, is full",
        "a limit of the database itself is reached",
    ],
    look: &[
        (
            "df -h /var/lib/hadron-hub",
            "on the hub's machine, or the database's",
        ),
        ("journalctl -u hadron-hub", "which write was refused"),
    ],
    ways: &[
        (
            "make room, or a larger disk; the hub goes on by itself",
            "df -h /var/lib/hadron-hub",
        ),
        ("then do it again", "hadron deployment list --active"),
    ],
    reasons: &["DISK_FULL"],
};

/// Back in time.
pub const RESTORED: ErrorCode = ErrorCode {
    number: 6003,
    title: "the hub's database was restored to an earlier state",
    meaning: "The database knows less than the hub has done. Until every stack was compared with CloudFormation, agents get no \
              other work in the accounts concerned, so that nothing is done twice and nothing is undone by accident.",
    causes: &[
        "a backup was put back",
        "a replica that had lagged behind took over",
        "an agent shows what only the lost time can have given it",
    ],
    look: &[
        (
            "hadron summary",
            "how far the comparison has got, and what it waits for",
        ),
        ("hadron doctor", "the same in a line"),
    ],
    ways: &[
        (
            "say that it was meant, on the hub's machine",
            "hadron-hub recover",
        ),
        (
            "have the agents run of all accounts that it waits for",
            "hadron agent list",
        ),
        (
            "then see what the lost deployments have left",
            "hadron deployment list",
        ),
    ],
    reasons: &["LOST_TIME"],
};
