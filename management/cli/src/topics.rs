//! Help that belongs to no command: `hadron help exit-codes|errors|environment|formats`.

use std::fmt::Write as _;

use hadron_proto::codes;

/// The topics, in the order that they are listed in.
pub(crate) const NAMES: &[&str] = &["exit-codes", "errors", "environment", "formats"];

/// The text of a topic.
pub(crate) fn find(name: &str) -> Option<String> {
    match name {
        "exit-codes" => Some(EXIT_CODES.to_owned()),
        "errors" => Some(errors()),
        "environment" => Some(ENVIRONMENT.to_owned()),
        "formats" => Some(FORMATS.to_owned()),
        _ => None,
    }
}

fn errors() -> String {
    let mut text = "\
Error codes

What people meet most often has a code, which stands at the end of the error: `more: hadron help HADRON-1001`. In -o json of
`hadron doctor`, and in google.rpc.ErrorInfo of the hub (metadata, key code), programs find the same one.

"
    .to_owned();
    for code in codes::ALL {
        let _ = writeln!(text, "  {code}  {}", code.title);
    }
    text.push_str("\nExample:\n  hadron help HADRON-1001\n");
    text
}

const EXIT_CODES: &str = "\
Exit codes

    0  done
    1  failed, and nothing below says it better; also: the hub refused the input, lint found errors
    2  the command line is wrong, or a question could not be asked because there is no terminal
    3  what was named does not exist
    4  the hub does not know you, or does not let you
    5  the state of things forbids it now: busy, in use, there already
    6  it waits for a person's approval (connection request --wait)
    7  with --wait and deployment watch: the deployment failed or was cancelled
    8  time ran out (--timeout), or the hub took too long; what was begun goes on
    9  the hub cannot be reached
  130  Ctrl-C or SIGTERM while something was waited for; what was begun goes on, and the commands to go on watching it
       and to cancel it were printed

Example:
  hadron instance update web/prd --minor --wait --timeout 30m
  case $? in 0) echo shipped;; 7) echo failed;; 8) echo still running;; esac
";

const ENVIRONMENT: &str = "\
Environment and configuration

Flags win over variables, variables over the profile, the profile over defaults. `hadron config view` shows what holds.

  Variable            Flag            Profile      Meaning
  HADRON_HUB          --hub           hub          address of the hub, https://host:port
  HADRON_HUB_CA       --hub-ca        hub_ca       file with the hub's CA certificate (PEM)
  HADRON_HUB_CA_PIN   --hub-ca-pin    hub_ca_pin   sha256:<64 hex>, hash of the CA's public key
  HADRON_TOKEN        --token                      token, instead of AWS credentials
  HADRON_TOKEN_FILE   --token-file    token_file   file that holds a token
  HADRON_OIDC_TOKEN_FILE                           for login: file with the token of a workload (--oidc-token-file)
  HADRON_OIDC_TOKEN                                for login: that token itself
  HADRON_PROFILE      --profile                    profile of the configuration file
                      -o              output       table, wide, json, jsonl, yaml or name
                      --wait          wait         true: commands wait without being told
  AWS_PROFILE                         aws_profile  whose AWS credentials prove who you are
  HADRON_CONFIG       --config                     another configuration file

Also: NO_COLOR, CLICOLOR_FORCE, TERM=dumb and CI are honoured; XDG_CONFIG_HOME and XDG_CACHE_HOME move the files.

~/.config/hadron/config.toml:
  default_profile = \"work\"

  [profile.work]
  hub = \"https://hub.example.com:8443\"
  hub_ca_pin = \"sha256:...\"          # printed by: hadron-hub admin pin
  aws_profile = \"platform\"

  [profile.ci]
  hub = \"https://hub.example.com:8443\"
  hub_ca = \"/etc/hadron/ca.pem\"
  token_file = \"/run/secrets/hadron\"
  output = \"json\"
  wait = true

Trust and tokens of a profile are used for the profile's own hub only: with --hub and another address, give them again.

Who you are: a token if one is given, else a login at an issuer (hadron login --oidc) until it ends or you log out, else
the credentials that the AWS command line would use. They sign sts:GetCallerIdentity for the hub; no secret leaves this
machine. The token that the hub gives for either is kept in ~/.cache/hadron, readable by you only. Sessions of
`aws sso login` work by way of
`credential_process = aws configure export-credentials --profile NAME --format process` in ~/.aws/config.

Plain http:// is spoken to loopback addresses only.
";

const FORMATS: &str = "\
Forms of output

  -o table   columns for people; on a terminal texts are shortened and columns left out until it fits, in a pipe everything is
             whole; may change
  -o wide    all columns, whole, as wide as that is
  -o json    one object, or {\"kind\": \"...List\", \"items\": [...]}; stable
  -o jsonl   the same objects, one in a line, without a list around them
  -o yaml    the same as JSON, as YAML
  -o name    names only, one per line, as the commands of the noun take them

Every JSON object has apiVersion (hadron/v1) and kind. Every field is always there: null means not set. Times are RFC
3339 in UTC. Fields may be added within hadron/v1; none is renamed or removed.

--query EXPRESSION prints what a JMESPath expression finds in the JSON form; with -o name texts are bare, one in a line.

Data goes to stdout, everything else to stderr: messages, questions, progress. Without a terminal, progress is one line
per change.

Examples:
  hadron environment list -o json | jq -r '.items[] | [.name, .deployment.status] | @tsv'
  hadron instance list --environment dev -o name | xargs -n1 hadron instance delete --yes
  hadron environment list --query \"items[?deployment.status=='FAILED'].name\" -o name
  VPC=$(hadron environment outputs prd VpcId)

Colours: where stdout or stderr is a terminal; NO_COLOR switches them off, CLICOLOR_FORCE=1 on everywhere. TERM=dumb, CI and
pipes get lines that are added, never redrawn.
";
