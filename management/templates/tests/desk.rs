//! Questions and replies: the same answer whether they were sent or not, and archives that are asked for.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use hadron_proto::vocab::Digest;
use hadron_templates::{
    Answer, AttachedTo, BundleKind, ComponentTask, Desk, EnvironmentFacts, EnvironmentTask, Expect, Given,
    InstanceTask, Made, Outputs, Packed, PipelinePart, PipelineTask, Question, Reply, ServiceFacts,
    ServiceSpec, SpecMap,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const SCHEMA: &str = "schema:
  format: { openapi: '3.0.0' }
  service_input_type: Service
  pipeline_input_type: Pipeline
  types:
    Service: { type: object, properties: { port: { type: number, default: 80 } } }
    Pipeline: { type: object, properties: { branch: { type: string, default: main } } }
";
const INSTANCE: &str = "Resources:\n  A:\n    Type: AWS::IAM::Role\n    Properties: { Port: \"{{ service_instance.inputs.port }}\" }\n";
const PIPELINE: &str = "Resources:\n{% for each in service_instances %}  P{{ loop.index }}: { Type: T, Name: \"{{ each.name }}{{ pipeline.inputs.branch }}\" }\n{% endfor %}";
const ENVIRONMENT: &str = "Resources:\n  A: { Type: T, Name: \"{{ environment.inputs.size }}\" }\n";

/// Sent and received: what another process would see.
fn sent<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

struct World {
    desk: Desk,
    archives: Given,
}

impl World {
    fn new() -> Self {
        Self {
            desk: Desk::new(8, 1024 * 1024),
            archives: Given::new(),
        }
    }

    fn pack(&mut self, files: &[(&str, &str)], expect: Expect) -> Packed {
        let files: BTreeMap<String, String> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        let archive = support::bundle(&files).unwrap().to_archive();
        let packed = Packed {
            archive: Digest::of(&archive),
            expect,
        };
        self.archives.insert(packed.archive, Arc::new(archive));
        packed
    }

    fn service(&mut self) -> Packed {
        let files = [
            ("schema/schema.yaml", SCHEMA),
            ("instance_infrastructure/manifest.yaml", support::MANIFEST),
            ("instance_infrastructure/cloudformation.yaml", INSTANCE),
            ("pipeline_infrastructure/manifest.yaml", support::MANIFEST),
            ("pipeline_infrastructure/cloudformation.yaml", PIPELINE),
        ];
        self.pack(&files, Expect::Service)
    }

    /// The reply, which is the same when the question came from elsewhere and the reply goes back there.
    fn ask(&self, question: Question) -> Reply {
        let here = self.desk.reply(question.clone(), &self.archives);
        let there = sent(&Desk::new(8, 1024 * 1024).reply(sent(&question), &self.archives));
        assert_eq!(here, there);
        here
    }

    fn draft(&self, question: Question) -> (String, Vec<String>) {
        match self.ask(question) {
            Reply::Answer(Answer::Draft(draft)) => (draft.rendered.text, draft.warnings),
            other => panic!("no draft: {other:?}"),
        }
    }
}

fn environment() -> EnvironmentFacts {
    EnvironmentFacts {
        name: "prd".parse().unwrap(),
        account_id: "012345678901".parse().unwrap(),
        region: Some("us-east-1".parse().unwrap()),
        outputs: Outputs::from([("Vpc".to_owned(), "vpc-1".to_owned())]),
    }
}

fn service() -> ServiceFacts {
    ServiceFacts::without_repository("web".parse().unwrap())
}

fn inputs(text: &str) -> SpecMap {
    let spec =
        format!("proton: ServiceSpec\ninstances:\n  - name: one\n    environment: prd\n    spec: {text}\n");
    let spec = ServiceSpec::parse("spec", &spec).unwrap();
    spec.instances[0].inputs.clone()
}

#[test]
fn each_question_has_its_answer_and_it_may_travel() {
    let mut world = World::new();
    let packed = world.service();
    let checked = world.ask(Question::Check(packed));
    let Reply::Answer(Answer::Checked(checked)) = checked else {
        panic!("{checked:?}")
    };
    assert_eq!(checked.kind, BundleKind::Service { pipeline: true });
    assert_eq!(checked.schema, SCHEMA);
    assert!(matches!(
        world.ask(Question::Open(packed)),
        Reply::Answer(Answer::Opened(opened)) if opened.kind == checked.kind && opened.engine.is_some()
    ));
    assert_eq!(
        world.ask(Question::Schema(packed)),
        Reply::Answer(Answer::Schema(SCHEMA.to_owned()))
    );
    assert_eq!(
        world.ask(Question::Readme(packed)),
        Reply::Answer(Answer::Readme(None))
    );
    let told = world.pack(
        &[
            ("README.md", "# Web"),
            ("schema/schema.yaml", SCHEMA),
            ("instance_infrastructure/manifest.yaml", support::MANIFEST),
            ("instance_infrastructure/cloudformation.yaml", INSTANCE),
            ("pipeline_infrastructure/manifest.yaml", support::MANIFEST),
            ("pipeline_infrastructure/cloudformation.yaml", PIPELINE),
        ],
        Expect::Service,
    );
    assert_eq!(
        world.ask(Question::Readme(told)),
        Reply::Answer(Answer::Readme(Some("# Web".to_owned())))
    );
    let Reply::Answer(Answer::Differences(found)) = world.ask(Question::Differences(packed, told)) else {
        panic!("no differences")
    };
    let paths: Vec<(&str, (bool, bool))> = found
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.there))
        .collect();
    assert_eq!(paths, [("README.md", (false, true))]);
    assert!(found.inputs.is_empty());
    let narrower = SCHEMA.replace("type: number, default: 80", "type: string");
    let compared = world.ask(Question::Compare(SCHEMA.to_owned(), narrower));
    assert!(
        matches!(&compared, Reply::Answer(Answer::Warnings(found)) if !found.is_empty()),
        "{compared:?}"
    );
    let text =
        "proton: ServiceSpec\ninstances:\n  - name: one\n    environment: prd\n    spec: { port: 8080 }\n";
    let Reply::Answer(Answer::ServiceSpec(spec)) =
        world.ask(Question::ServiceSpec("spec".to_owned(), text.to_owned()))
    else {
        panic!("no spec")
    };
    assert_eq!(spec, ServiceSpec::parse("spec", text).unwrap());

    let (text, warnings) = world.draft(Question::Instance(InstanceTask {
        bundle: packed,
        environment: environment(),
        service: service(),
        name: "one".parse().unwrap(),
        given: inputs("{ port: 8080, other: 1 }"),
        component: None,
    }));
    assert!(text.contains("Port: \"8080\""), "{text}");
    assert!(
        warnings.iter().any(|text| text.contains("'other'")),
        "{warnings:?}"
    );
    let part = |name: &str| PipelinePart {
        name: name.parse().unwrap(),
        bundle: packed,
        given: SpecMap::default(),
        outputs: Outputs::new(),
        environment: environment(),
    };
    let (text, _) = world.draft(Question::Pipeline(PipelineTask {
        bundle: packed,
        service: service(),
        parts: vec![part("one"), part("two")],
        given: SpecMap::default(),
    }));
    assert!(text.contains("P2: { Type: T, Name: \"twomain\" }"), "{text}");
    let fits = world.ask(Question::PipelineInputs(packed, inputs("{ branch: [] }")));
    assert!(matches!(fits, Reply::Faults(_)), "{fits:?}");
    let (text, _) = world.draft(Question::Component(ComponentTask {
        name: "extra".parse().unwrap(),
        manifest: support::MANIFEST.to_owned(),
        template: "Resources:\n  A: { Type: T, Port: \"{{ service_instance.inputs.port }}\" }\n".to_owned(),
        environment: environment(),
        attached: Some(AttachedTo {
            bundle: packed,
            service: service(),
            instance: "one".parse().unwrap(),
            given: SpecMap::default(),
        }),
    }));
    assert!(text.contains("Port: \"80\""), "{text}");
}

#[test]
fn environments_are_made_or_declared() {
    let schema = "schema:\n  format: { openapi: '3.0.0' }\n  environment_input_type: T\n  types:\n    T: { type: object, properties: { size: { type: string, default: small } } }\n";
    let plain = schema.replace(", default: small", "");
    let mut world = World::new();
    let stack = [
        ("schema/schema.yaml", schema),
        ("infrastructure/manifest.yaml", support::MANIFEST),
        ("infrastructure/cloudformation.yaml", ENVIRONMENT),
    ];
    let stack = world.pack(&stack, Expect::Environment);
    let declared = world.pack(&[("schema/schema.yaml", plain.as_str())], Expect::Environment);
    let task = |bundle, spec: &str| {
        Question::Environment(EnvironmentTask {
            bundle,
            name: "prd".parse().unwrap(),
            account: "012345678901".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            spec: spec.to_owned(),
        })
    };
    let spec = "proton: EnvironmentSpec\nspec: { size: large }\n";
    let made = world.ask(task(stack, spec));
    let Reply::Answer(Answer::Made(Made::Stack(draft))) = made else {
        panic!("{made:?}")
    };
    assert!(draft.rendered.text.contains("Name: \"large\""));
    let made = world.ask(task(declared, spec));
    let Reply::Answer(Answer::Made(Made::Declared { outputs, .. })) = made else {
        panic!("{made:?}")
    };
    assert_eq!(outputs, Outputs::from([("size".to_owned(), "large".to_owned())]));
    // Faults keep their places and their words on the way.
    let Reply::Faults(faults) = world.ask(task(stack, "proton: EnvironmentSpec\nspec: { size: [] }\n"))
    else {
        panic!("taken")
    };
    assert!(faults.to_string().contains("spec:2:15"), "{faults}");
}

#[test]
fn archives_that_are_not_there_are_asked_for_all_at_once() {
    let mut world = World::new();
    let (one, two) = (
        world.service(),
        world.pack(
            &[
                ("schema/schema.yaml", SCHEMA),
                ("instance_infrastructure/manifest.yaml", support::MANIFEST),
                ("instance_infrastructure/cloudformation.yaml", INSTANCE),
                ("pipeline_infrastructure/manifest.yaml", support::MANIFEST),
                (
                    "pipeline_infrastructure/cloudformation.yaml",
                    "Resources:\n  B: { Type: T }\n",
                ),
            ],
            Expect::Service,
        ),
    );
    let question = Question::Pipeline(PipelineTask {
        bundle: one,
        service: service(),
        parts: vec![PipelinePart {
            name: "one".parse().unwrap(),
            bundle: two,
            given: SpecMap::default(),
            outputs: Outputs::new(),
            environment: environment(),
        }],
        given: SpecMap::default(),
    });
    let mut both = vec![one.archive, two.archive];
    both.sort_unstable();
    assert_eq!(question.archives(), both);
    let nothing = Given::new();
    let Reply::Missing(mut missing) = world.desk.reply(question.clone(), &nothing) else {
        panic!("nothing is missing")
    };
    missing.sort_unstable();
    assert_eq!(missing, both);
    assert!(matches!(
        world.desk.reply(question.clone(), &world.archives),
        Reply::Answer(Answer::Draft(_))
    ));
    // Now they are kept.
    assert!(matches!(
        world.desk.reply(question, &nothing),
        Reply::Answer(Answer::Draft(_))
    ));
    // What is only checked is not.
    let desk = Desk::new(8, 1024 * 1024);
    assert!(matches!(
        desk.reply(Question::Check(one), &world.archives),
        Reply::Answer(_)
    ));
    assert!(matches!(
        desk.reply(Question::Open(one), &nothing),
        Reply::Missing(_)
    ));
}

#[test]
fn a_registered_bundle_that_is_bad_now_is_no_fault_of_whoever_asks() {
    let mut world = World::new();
    let bad = world.pack(&[("schema/schema.yaml", "schema: {}\n")], Expect::Environment);
    assert!(matches!(world.ask(Question::Check(bad)), Reply::Faults(_)));
    assert!(matches!(world.ask(Question::Open(bad)), Reply::Unusable(_)));
}
