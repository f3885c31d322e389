//! W7: what rendering costs: the project's renderer, the bare template engine, and what Python people would use, over the
//! same generated template. The texts must be equal byte for byte. And what it costs to have it done by a process of its
//! own, as the hub has it: the time until the text is there, beside the same question answered in this process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use cpu_time::ProcessTime;
use hadron_management::render::{Options, Renderer};
use hadron_proto::vocab::Digest;
use hadron_templates::{
    Answer, Bundle, EnvironmentFacts, Expect, Given, InputType, InstanceFacts, InstanceInputs, InstanceTask,
    Limits, Outputs, Packed, Question, Rendered, Reply, ServiceFacts, ServiceSpec, TemplateBundle, complete,
};
use minijinja::Environment;

use serde_json::{Value, json};

use crate::report::{PROJECT, Row};
use crate::run::Bench;

/// The Python side, which this program hands to the interpreter.
const PYTHON: &str = include_str!("../python/render.py");

/// The least CPU that a figure rests on.
const LEAST: Duration = Duration::from_millis(700);

const SCHEMA: &str = r#"schema:
  format:
    openapi: "3.0.0"
  service_input_type: "Bench"
  types:
    Bench:
      type: object
      description: "Inputs of an instance."
      properties:
        image:
          type: string
          pattern: "^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$"
          minLength: 1
          maxLength: 300
        port:
          type: number
          default: 80
          minimum: 1
          maximum: 65535
        size:
          type: string
          enum: ["small", "large"]
          default: "small"
        public:
          type: boolean
          default: true
"#;
const MANIFEST: &str = r#"infrastructure:
  templates:
    - file: "cloudformation.yaml"
      rendering_engine: jinja
      template_language: cloudformation
"#;
const SPEC: &str = "proton: ServiceSpec\ninstances:\n  - name: \"one\"\n    environment: \"prd\"\n    spec:\n      image: \"registry/app:1\"\n      port: 8080\n";

/// A template with so many resources: plain text, values in quotes, conditions, intrinsic functions.
fn template(resources: u32) -> String {
    let mut text = String::from(
        "AWSTemplateFormatVersion: \"2010-09-09\"\nDescription: \"{{ service.name }} {{ service_instance.name }}\"\n\nResources:\n",
    );
    for number in 0..resources {
        text.push_str(&format!(
            "  Parameter{number}:\n    Type: AWS::SSM::Parameter\n    Properties:\n      \
             Name: \"/{{{{ environment.name }}}}/{{{{ service_instance.name }}}}/{number}\"\n      Type: String\n\
             {{%- if service_instance.inputs.public %}}\n      Description: \"open on {{{{ service_instance.inputs.port }}}}\"\n\
             {{%- else %}}\n      Description: \"closed\"\n{{%- endif %}}\n      \
             Value: !Sub \"${{AWS::AccountId}}-{{{{ service_instance.inputs.image }}}}-{{{{ environment.outputs.VpcId }}}}\"\n      \
             Tags:\n        size: \"{{{{ service_instance.inputs.size }}}}\"\n"
        ));
    }
    text.push_str("\nOutputs:\n  First:\n    Value: !Ref Parameter0\n");
    text
}

/// CPU of this process: the project renders on threads of its own.
fn cpu() -> Duration {
    ProcessTime::now().as_duration()
}

/// CPU of one call in microseconds.
fn cost(least: Duration, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    call()?;
    let began = cpu();
    let mut count = 0_u32;
    while count < 3 || cpu().saturating_sub(began) < least {
        call()?;
        count += 1;
    }
    Ok(cpu().saturating_sub(began).as_secs_f64() * 1e6 / f64::from(count))
}

fn faults(faults: &hadron_templates::Faults) -> anyhow::Error {
    anyhow!("{faults}")
}

struct Sample {
    archive: Vec<u8>,
    text: String,
}

impl Sample {
    fn new(resources: u32) -> Result<Self> {
        let text = template(resources);
        let files = [
            ("schema/schema.yaml", SCHEMA.as_bytes().to_vec()),
            (
                "instance_infrastructure/manifest.yaml",
                MANIFEST.as_bytes().to_vec(),
            ),
            (
                "instance_infrastructure/cloudformation.yaml",
                text.as_bytes().to_vec(),
            ),
        ];
        let bundle = Bundle::from_files(files, &Limits::default()).map_err(|error| faults(&error))?;
        Ok(Self {
            archive: bundle.to_archive(),
            text,
        })
    }

    fn check(&self) -> Result<TemplateBundle> {
        let bundle =
            Bundle::from_archive(&self.archive, &Limits::default()).map_err(|error| faults(&error))?;
        let (template, found) = TemplateBundle::check(bundle, Some(Expect::Service));
        template.ok_or_else(|| faults(&found))
    }
}

/// What the hub does for an instance whose bundle it has checked before: read the spec's inputs, complete them, render, and
/// read the result for what CloudFormation will ask.
fn render(template: &TemplateBundle, spec: &ServiceSpec) -> Result<Rendered> {
    let instance = spec.instances.first().context("an instance")?;
    let schema = template
        .schema
        .inputs(InputType::Service)
        .context("inputs of a service")?;
    let inputs = complete(schema, &instance.inputs).map_err(|error| faults(&error))?;
    let (environment, service) = surroundings(spec)?;
    let inputs = InstanceInputs {
        environment,
        service,
        instance: InstanceFacts {
            name: instance.name.clone(),
            inputs: inputs.values,
            component: None,
        },
    };
    template.render_instance(&inputs).map_err(|error| faults(&error))
}

/// What the template sees besides the instance.
fn surroundings(spec: &ServiceSpec) -> Result<(EnvironmentFacts, ServiceFacts)> {
    let instance = spec.instances.first().context("an instance")?;
    let environment = EnvironmentFacts {
        name: instance.environment.clone(),
        account_id: "012345678901"
            .parse()
            .map_err(|error| anyhow!("an account: {error}"))?,
        region: None,
        outputs: Outputs::from([("VpcId".to_owned(), "vpc-1".to_owned())]),
    };
    let service =
        ServiceFacts::without_repository("web".parse().map_err(|error| anyhow!("a name: {error}"))?);
    Ok((environment, service))
}

/// The same as a question to whoever renders, with its archive.
fn question(sample: &Sample, spec: &ServiceSpec) -> Result<(Question, Given)> {
    let instance = spec.instances.first().context("an instance")?;
    let (environment, service) = surroundings(spec)?;
    let packed = Packed {
        archive: Digest::of(&sample.archive),
        expect: Expect::Service,
    };
    let task = InstanceTask {
        bundle: packed,
        environment,
        service,
        name: instance.name.clone(),
        given: instance.inputs.clone(),
        component: None,
    };
    let given = Given::from([(packed.archive, Arc::new(sample.archive.clone()))]);
    Ok((Question::Instance(task), given))
}

async fn asked(renderer: &Renderer, question: &Question, given: &Given) -> Result<(Duration, String)> {
    let began = Instant::now();
    let reply = renderer.ask(question.clone(), given.clone()).await;
    let time = began.elapsed();
    match reply {
        Ok(Reply::Answer(Answer::Draft(draft))) => Ok((time, draft.rendered.text)),
        Ok(_) => bail!("another question was answered"),
        Err(failure) => bail!("no reply: {failure:?}"),
    }
}

/// Times of both, in microseconds, one after the other so that both meet the same machine.
async fn walls(
    sample: &Sample,
    spec: &ServiceSpec,
    worker: &Renderer,
    count: usize,
    text: &str,
) -> Result<(f64, f64)> {
    let here = Renderer::here();
    let (question, given) = question(sample, spec)?;
    let (mut within, mut beside) = (Vec::new(), Vec::new());
    for round in 0..=count {
        for (renderer, times) in [(&here, &mut within), (worker, &mut beside)] {
            let (time, theirs) = asked(renderer, &question, &given).await?;
            // The first one reads the bundle.
            if round > 0 {
                times.push(time.as_secs_f64() * 1e6);
            } else {
                same(&theirs, text, "whoever was asked")?;
            }
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times
            .get(times.len() / 2)
            .copied()
            .context("nothing was measured")
    };
    Ok((median(within)?, median(beside)?))
}

fn context() -> Value {
    json!({
        "environment": {"name": "prd", "account_id": "012345678901", "outputs": {"VpcId": "vpc-1"}},
        "service": {"name": "web"},
        "service_instance": {"name": "one",
            "inputs": {"image": "registry/app:1", "port": 8080, "size": "small", "public": true}},
    })
}

/// L7: the engine alone on the compiled template.
fn bare(text: &str, least: Duration) -> Result<(f64, String)> {
    let mut engine = Environment::new();
    engine.add_template_owned("t", text.to_owned())?;
    let template = engine.get_template("t")?;
    let context = minijinja::value::Value::from(minijinja::value::Serde(context()));
    let text = template.render(&context)?;
    let us = cost(least, || {
        template.render(&context)?;
        Ok(())
    })?;
    Ok((us, text))
}

fn python(interpreter: &Path, dir: &Path, sample: &Sample, least: Duration) -> Result<Value> {
    std::fs::write(dir.join("render.py"), PYTHON)?;
    std::fs::write(dir.join("schema.yaml"), SCHEMA)?;
    std::fs::write(dir.join("template.yaml"), &sample.text)?;
    std::fs::write(dir.join("context.json"), context().to_string())?;
    let output = Command::new(interpreter)
        .arg(dir.join("render.py"))
        .arg(dir)
        .arg(least.as_secs_f64().to_string())
        .output()
        .with_context(|| format!("running {}", interpreter.display()))?;
    if !output.status.success() {
        bail!(
            "{}",
            String::from_utf8_lossy(&output.stderr)
                .lines()
                .last()
                .unwrap_or("Python says nothing")
        );
    }
    serde_json::from_slice(&output.stdout).context("Python's figures")
}

fn same(theirs: &str, ours: &str, who: &str) -> Result<()> {
    let differs = theirs
        .lines()
        .zip(ours.lines())
        .find(|(theirs, ours)| theirs != ours);
    match differs {
        Some((theirs, ours)) => bail!("{who} renders {theirs:?}, the project {ours:?}"),
        None if theirs != ours => {
            bail!("{who} renders {} bytes, the project {}", theirs.len(), ours.len())
        }
        None => Ok(()),
    }
}

impl Bench {
    /// Each size in each round, the three one after another.
    pub(crate) async fn rendering(&mut self) -> Result<()> {
        let least = if self.flags.smoke {
            Duration::from_millis(20)
        } else {
            LEAST
        };
        let interpreter: Option<PathBuf> = crate::peers::program("python3", &self.flags.tools);
        let worker = Renderer::workers(Options::default()).await?;
        let count = if self.flags.smoke { 5 } else { 300 };
        for round in 0..self.scale.rounds.min(3) {
            for resources in self.scale.resources.clone() {
                let before = self.before().await?;
                let dir = self.fresh_dir()?;
                let case = format!("{resources} resources");
                let size = f64::from(resources);
                let sample = Sample::new(resources)?;
                let template = sample.check()?;
                let spec = ServiceSpec::parse("spec.yaml", SPEC).map_err(|error| faults(&error))?;
                let rendered = render(&template, &spec)?;
                let mut rows = Vec::new();

                let (us, text) = bare(&sample.text, least)?;
                let mut row = Row::new("W7", case.clone(), size, "limit: bare template engine", round);
                row.limit = true;
                row.set("warm_us", us);
                same(&text, &rendered.text, "the bare engine")?;
                rows.push(row);

                let (within, beside) = walls(&sample, &spec, &worker, count, &rendered.text).await?;
                let mut row = Row::new(
                    "W7",
                    case.clone(),
                    size,
                    &format!("{PROJECT}, by a worker"),
                    round,
                );
                row.set("wall_us", beside);
                rows.push(row);

                let mut row = Row::new("W7", case.clone(), size, PROJECT, round);
                row.set("wall_us", within);
                row.set("parse_us", cost(least, || render(&template, &spec).map(drop))?);
                row.set(
                    "cold_us",
                    cost(least, || {
                        let spec = ServiceSpec::parse("spec.yaml", SPEC).map_err(|error| faults(&error))?;
                        render(&sample.check()?, &spec).map(drop)
                    })?,
                );
                rows.push(row);

                let name = "jinja2 + PyYAML (libyaml) + jsonschema";
                let found = interpreter.as_deref().context("no python3 in PATH");
                match found.and_then(|interpreter| python(interpreter, &dir, &sample, least)) {
                    Ok(figures) => {
                        same(
                            figures["text"].as_str().unwrap_or_default(),
                            &rendered.text,
                            "jinja2",
                        )?;
                        let mut row = Row::new("W7", case, size, name, round);
                        for metric in ["warm_us", "parse_us", "cold_us"] {
                            row.set(metric, figures[metric].as_f64());
                        }
                        rows.push(row);
                    }
                    Err(error) => {
                        self.missing(name, &format!("{error:#}; pip install jinja2 PyYAML jsonschema"))
                    }
                }
                for mut row in rows {
                    before.mark(&mut row, None);
                    self.push(row);
                }
                std::fs::remove_dir_all(&dir)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_renders_what_the_bare_engine_renders() {
        let sample = Sample::new(3).unwrap();
        let spec = ServiceSpec::parse("spec.yaml", SPEC).unwrap();
        let rendered = render(&sample.check().unwrap(), &spec).unwrap();
        let (_, text) = bare(&sample.text, Duration::ZERO).unwrap();
        assert_eq!(rendered.text, text);
        assert_eq!(rendered.resources.len(), 3);
    }
}
