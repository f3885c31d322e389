//! Templates that do what templates should not, and inputs that want to be more than one value: AT-46 to AT-56.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tonic::Code;

use super::documents::{MANIFEST, SCHEMA, bundle};
use super::{Case, Ground};
use crate::world::PATIENCE;

/// Within this a bomb is refused, also where other tests use the machine at the same time.
const SOON: Duration = Duration::from_secs(25);

const CODE: &str = "infrastructure/cloudformation.yaml";

/// A schema with one text.
const TEXT: &str = "schema:\n  format:\n    openapi: \"3.0.0\"\n  environment_input_type: T\n  types:\n    T: { type: object, properties: { text: { type: string } } }\n";

fn spec(text: &str) -> String {
    format!("proton: EnvironmentSpec\nspec: {}\n", json!({ "text": text }))
}

impl Ground {
    /// Publishes an environment template of this CloudFormation text, once.
    async fn published(&mut self, name: &str, code: &str) -> Result<()> {
        if self
            .kept
            .insert(format!("template {name}"), String::new())
            .is_some()
        {
            return Ok(());
        }
        self.admin.template(name).await?;
        let files = [
            ("schema/schema.yaml", TEXT),
            ("infrastructure/manifest.yaml", MANIFEST),
            (CODE, code),
        ];
        let version = self.admin.register(name, bundle(&files)?).await?;
        self.admin.publish(name, &version).await
    }
}

/// The value stands there as it is, without quotes.
const PLAIN: &str = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: {{ environment.inputs.text }}\n";
const SINGLE: &str = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: '{{ environment.inputs.text }}'\n";
const DOUBLE: &str = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: \"{{ environment.inputs.text }}\"\n";
/// As the help says that it is done.
const RIGHT: &str = "Resources:\n  A:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Name: /hadron-tests/attacked\n      Type: String\n      Value: {{ environment.inputs.text | tojson }}\nOutputs:\n  Text:\n    Value: {{ environment.inputs.text | tojson }}\n";
const JSON: &str = "{\"Resources\": {\"A\": {\"Type\": \"AWS::SNS::Topic\", \"Properties\": {\"DisplayName\": \"{{ environment.inputs.text }}\"}}}}\n";

/// Inputs that would be more than one value of this template, each refused before anything is deployed.
async fn structures(
    ground: &mut Ground,
    case: &mut Case,
    template: &str,
    code: &str,
    inputs: &[&str],
) -> Result<()> {
    ground.published(template, code).await?;
    let before = super::seen(ground).await?;
    for text in inputs {
        let answer = ground.admin.create("attacked", template, "", &spec(text)).await;
        case.refused(
            format!("{text:?} in {template}"),
            answer,
            Code::InvalidArgument,
            &["environment.inputs.text"],
        );
    }
    case.hold(
        "nothing is left",
        super::seen(ground).await? == before,
        super::seen(ground).await?,
    );
    case.logged("Refused");
    Ok(())
}

/// Deploys an input where the template is as it should be; it has to come out as it went in, and as nothing more.
async fn stays(ground: &mut Ground, case: &mut Case, inputs: &[&str]) -> Result<()> {
    ground.published("right", RIGHT).await?;
    for text in inputs {
        let made = if ground.kept.insert("deployed".to_owned(), String::new()).is_none() {
            ground.admin.create("deployed", "right", "", &spec(text)).await?
        } else {
            ground.admin.update("deployed", &spec(text)).await?
        };
        let shown = tokio::time::timeout(PATIENCE, ground.world.ended(&made)).await??;
        let resources = shown["resources"].as_array().map(Vec::len);
        let right = shown["status"] == "SUCCEEDED" && shown["outputs"]["Text"] == *text;
        case.input(format!("{text:?} as it is"), right, &shown);
        case.hold("one resource", resources.is_none_or(|number| number <= 1), &shown);
    }
    Ok(())
}

/// AT-46
pub(super) async fn more_resources(ground: &mut Ground, case: &mut Case) -> Result<()> {
    const EVIL: &str = "x\n  Evil:\n    Type: AWS::IAM::User";
    structures(
        ground,
        case,
        "plain",
        PLAIN,
        &[EVIL, "x\n      Q: evil", "a: b", "- a", "x\r      Q: evil"],
    )
    .await?;
    structures(
        ground,
        case,
        "single",
        SINGLE,
        &["x'\n      Q: 'evil", "x'\n  Evil:\n    Type: 'AWS::IAM::User"],
    )
    .await?;
    structures(ground, case, "double", DOUBLE, &["x\"\n      Q: \"evil", "\\"]).await?;
    stays(
        ground,
        case,
        &["x\n  Evil:\n    Type: AWS::IAM::User\n", "\"\n  Evil: '"],
    )
    .await
}

/// AT-47
pub(super) async fn templates_in_values(ground: &mut Ground, case: &mut Case) -> Result<()> {
    structures(
        ground,
        case,
        "plain",
        PLAIN,
        &["{{ 7*7 }}", "{% for a in [1] %}x{% endfor %}", "{# x #}"],
    )
    .await?;
    stays(
        ground,
        case,
        &["{{ 7*7 }} {% raw %} {# x #}", "{{ environment }}"],
    )
    .await
}

/// AT-48
pub(super) async fn tags_and_anchors(ground: &mut Ground, case: &mut Case) -> Result<()> {
    // Not `&a x`: see what is open in management/docs/security.md.
    let inputs = [
        "!Ref A",
        "!!python/object:os.system a",
        "*a",
        "{<<: *a}",
        "!Sub '${A}'",
        "|\n  x",
        "[a, b]",
    ];
    structures(ground, case, "plain", PLAIN, &inputs).await
}

/// AT-49
pub(super) async fn json_quotes(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let inputs = [
        "x\", \"Evil\": \"y",
        "x\"}}, \"B\": {\"Type\": \"AWS::IAM::User\", \"Properties\": {\"UserName\": \"b",
        "\\",
    ];
    structures(ground, case, "json", JSON, &inputs).await
}

/// Texts at the top of a template, each refused with one of these words.
async fn bombs(ground: &mut Ground, case: &mut Case, bombs: &[(&str, String, &[&str])]) -> Result<()> {
    if ground
        .kept
        .insert("template bomb".to_owned(), String::new())
        .is_none()
    {
        ground.admin.template("bomb").await?;
    }
    let minimal = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n";
    for (what, top, says) in bombs {
        let code = format!("{top}\n{minimal}");
        let files = [
            ("schema/schema.yaml", SCHEMA),
            ("infrastructure/manifest.yaml", MANIFEST),
            (CODE, &code),
        ];
        let began = Instant::now();
        let answer = match ground.admin.register("bomb", bundle(&files)?).await {
            // What depends on values is known when there are some.
            Ok(version) => {
                ground.admin.publish("bomb", &version).await?;
                let spec = "proton: EnvironmentSpec\nspec: {}\n";
                ground
                    .admin
                    .create_with("bombed", "bomb", &version, "", spec)
                    .await
            }
            Err(refused) => Err(refused),
        };
        let took = began.elapsed();
        // A machine with too much to do meets the limit of time before those of memory and computing.
        let right = |refused: &tonic::Status| {
            let words = says.iter().any(|word| refused.message().contains(word));
            refused.code() == Code::InvalidArgument && words
                || refused.code() == Code::Unavailable && refused.message().contains("was not finished after")
        };
        let refused = answer.as_ref().err().is_some_and(right);
        case.input(what, refused, format!("{answer:?} (wanted {says:?})"));
        case.hold(format!("{what}, in time"), took < SOON, format!("{took:?}"));
        ground.normal().await?;
    }
    case.logged("\"reason\"");
    Ok(())
}

const SET: &str = "{% set ns = namespace(s='aaaaaaaaaaaaaaaa', l=[1]) %}";
const PLACE: &str = "infrastructure/cloudformation.yaml:1";
const LIMIT: &str = "checking the bundle needs more than";

fn grow(times: u32, step: &str) -> String {
    format!("{SET}{{% for i in range({times}) %}}{{% set {step} %}}{{% endfor %}}")
}

/// AT-50
pub(super) async fn loops(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let inner = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned();
    bombs(ground, case, &[("loops inside loops", inner, &[PLACE])]).await
}

/// AT-51
pub(super) async fn doubling(ground: &mut Ground, case: &mut Case) -> Result<()> {
    bombs(
        ground,
        case,
        &[
            (
                "a text doubled 60 times",
                grow(60, "ns.s = ns.s ~ ns.s"),
                &[LIMIT],
            ),
            (
                "a list doubled 60 times",
                grow(60, "ns.l = ns.l + ns.l"),
                &[LIMIT],
            ),
        ],
    )
    .await
}

/// AT-52
pub(super) async fn growing_filters(ground: &mut Ground, case: &mut Case) -> Result<()> {
    bombs(
        ground,
        case,
        &[
            (
                "format",
                "{{ '%2000000000s' | format('a') }}".to_owned(),
                &[PLACE, LIMIT],
            ),
            (
                "center",
                "{{ 'a' | center(2000000000) }}".to_owned(),
                &[PLACE, LIMIT],
            ),
            (
                "indent",
                "{{ 'ab' | indent(2000000000) }}".to_owned(),
                &[PLACE, LIMIT],
            ),
            (
                "replace",
                grow(20, "ns.s = ns.s | replace('a', 'aaaaaaaaaaaaaaaa')"),
                &[PLACE, LIMIT],
            ),
            (
                "join",
                grow(20, "ns.s = range(1000) | join(ns.s)"),
                &[PLACE, LIMIT],
            ),
        ],
    )
    .await
}

/// AT-53
pub(super) async fn recursion(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000));
    bombs(
        ground,
        case,
        &[
            (
                "a macro that calls itself",
                "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}".to_owned(),
                &[PLACE],
            ),
            ("parentheses", parentheses, &[PLACE]),
            (
                "lists inside lists",
                format!("{}{{{{ ns.l }}}}", grow(99_999, "ns.l = [ns.l]")),
                &[PLACE, LIMIT],
            ),
        ],
    )
    .await
}

/// AT-54
pub(super) async fn ranges(ground: &mut Ground, case: &mut Case) -> Result<()> {
    bombs(
        ground,
        case,
        &[
            (
                "a long range",
                "{{ range(9999999999) | list }}".to_owned(),
                &[PLACE],
            ),
            ("multiplied", "{{ 'a' * 1000000000 }}".to_owned(), &[PLACE, LIMIT]),
            (
                "a power",
                "{{ 9999999999 ** 9999999999 }}".to_owned(),
                &[PLACE, LIMIT],
            ),
        ],
    )
    .await
}

/// AT-55
pub(super) async fn escapes(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut all: Vec<(&str, String, &[&str])> = Vec::new();
    for place in ["/etc/passwd", "../../../etc/passwd", "schema/schema.yaml"] {
        for word in ["include", "extends"] {
            all.push((
                "another file",
                format!("{{% {word} '{place}' %}}"),
                &["other files", PLACE],
            ));
        }
        all.push((
            "an import",
            format!("{{% import '{place}' as x %}}"),
            &["other files", PLACE],
        ));
    }
    for expression in [
        "''.__class__.__mro__[1].__subclasses__()",
        "environment.__init__.__globals__",
        "self.__dict__",
        "config.items()",
        "lipsum.__globals__",
        "debug()",
        "cycler.__init__.__globals__.os.popen('id').read()",
    ] {
        all.push((
            expression,
            format!("Description: {{{{ {expression} }}}}"),
            &[PLACE],
        ));
    }
    bombs(ground, case, &all).await
}

/// AT-56
pub(super) async fn large_results(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let million = format!("{SET}{{% for i in range(16) %}}{{% set ns.s = ns.s ~ ns.s %}}{{% endfor %}}");
    let often = format!("{million}{{% for i in range(2000) %}}{{{{ ns.s }}}}{{% endfor %}}");
    bombs(
        ground,
        case,
        &[(
            "a megabyte 2000 times",
            often,
            &["would be larger than 1048576 bytes", LIMIT],
        )],
    )
    .await
}
