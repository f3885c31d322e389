//! `manifest.yaml`: which file is rendered, and by what.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, files_in};
use crate::diagnostic::{Fault, Faults, Source, clip, listed};
use crate::schema::unknown;
use crate::yaml::{self, Node};

/// What turns the files into infrastructure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Jinja text for CloudFormation.
    CloudFormation,
    /// Terraform files.
    Terraform,
    /// Commands in CodeBuild.
    CodeBuild,
}

impl Engine {
    /// The name for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudFormation => "CloudFormation",
            Self::Terraform => "Terraform",
            Self::CodeBuild => "CodeBuild",
        }
    }
}

/// A manifest that was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// What turns the files into infrastructure.
    pub engine: Engine,
    /// The template files, as paths in the bundle. None for CodeBuild.
    pub files: Vec<String>,
    /// The settings of a CodeBuild manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<BuildSettings>,
}

/// What a CodeBuild manifest asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BuildSettings {
    /// The build image.
    pub image: Option<String>,
    /// Languages and their versions.
    pub runtimes: IndexMap<String, String>,
    /// Commands for creating and updating.
    pub provision: Vec<String>,
    /// Commands for deleting.
    pub deprovision: Vec<String>,
}

const HELP: &str =
    "write: file: \"cloudformation.yaml\", rendering_engine: jinja, template_language: cloudformation";

impl Manifest {
    /// Reads the manifest of a directory of the bundle and checks what it names.
    pub(crate) fn read(bundle: &Bundle, dir: &str, faults: &mut Faults) -> Option<Self> {
        let path = format!("{dir}/manifest.yaml");
        let Some(bytes) = bundle.get(&path) else {
            let help = format!("add it; files there: {}", files_in(bundle, dir));
            faults.push(Fault::error("manifest/missing", format!("{path} is missing")).help(help));
            return None;
        };
        if bytes.len() > bundle.limits.manifest_bytes {
            let message = format!(
                "{path} has {} bytes; at most {} are allowed",
                bytes.len(),
                bundle.limits.manifest_bytes
            );
            faults.push(
                Fault::error("manifest/too-large", message)
                    .help("move long commands into a script in the bundle"),
            );
            return None;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            faults.push(
                Fault::error("manifest/encoding", format!("{path} is not UTF-8")).help("save it as UTF-8"),
            );
            return None;
        };
        let source = Source::new(&path, text);
        let root = match yaml::read(&source, yaml::HAND) {
            Ok((root, warnings)) => {
                faults.extend(warnings);
                root
            }
            Err(errors) => {
                faults.extend(errors);
                return None;
            }
        };
        Self::entry(bundle, dir, only_entry(&root, faults)?, faults)
    }

    /// Reads the manifest of a component, which is given as text beside its one template; gives the name that it has for
    /// the template's file.
    pub(crate) fn of_component(text: &str, faults: &mut Faults) -> Option<String> {
        let source = Source::new("manifest.yaml", text);
        let root = match yaml::read(&source, yaml::HAND) {
            Ok((root, warnings)) => {
                faults.extend(warnings);
                root
            }
            Err(errors) => {
                faults.extend(errors);
                return None;
            }
        };
        let entry = only_entry(&root, faults)?;
        if !is_map(entry, faults) {
            return None;
        }
        let engine = engine(entry, faults)?;
        let at = entry.get("rendering_engine").unwrap_or(entry);
        let refused = match engine {
            Engine::CloudFormation => None,
            Engine::Terraform => Some("Terraform provisioning of components is not available yet"),
            // As Proton had it: CodeBuild runs what a template's author wrote, and components are written by developers.
            Engine::CodeBuild => Some("components cannot be provisioned with CodeBuild"),
        };
        if let Some(why) = refused {
            faults.push(
                Fault::error("component/engine", why)
                    .at(&at.at)
                    .help("give a CloudFormation template, with rendering_engine: jinja and template_language: cloudformation"),
            );
            return None;
        }
        unknown(entry, &["file", "rendering_engine", "template_language"], faults);
        let (file, name) = file_name(entry, "write the name that the template file shall have", faults)?;
        if name.contains(['/', '*']) {
            faults.push(
                Fault::error(
                    "manifest/file",
                    format!("'{}' is not the name of one file", clip(name)),
                )
                .at(&file.at)
                .help("a component has one template file: write its name, such as cloudformation.yaml"),
            );
            return None;
        }
        Some(name.to_owned())
    }

    fn entry(bundle: &Bundle, dir: &str, entry: &Node, faults: &mut Faults) -> Option<Self> {
        if !is_map(entry, faults) {
            return None;
        }
        let engine = engine(entry, faults)?;
        if engine == Engine::CodeBuild {
            unknown(entry, &["rendering_engine", "settings"], faults);
            let settings = settings(entry, faults);
            return Some(Self {
                engine,
                files: Vec::new(),
                settings: Some(settings),
            });
        }
        unknown(entry, &["file", "rendering_engine", "template_language"], faults);
        let files = files(bundle, dir, engine, entry, faults)?;
        Some(Self {
            engine,
            files,
            settings: None,
        })
    }
}

/// The one entry of `infrastructure.templates`.
fn only_entry<'a>(root: &'a Node, faults: &mut Faults) -> Option<&'a Node> {
    unknown(root, &["infrastructure"], faults);
    let infrastructure = root.get("infrastructure").unwrap_or(root);
    let Some(templates) = infrastructure
        .get("templates")
        .filter(|_| root.get("infrastructure").is_some())
    else {
        let fault = Fault::error("manifest/shape", "the list 'infrastructure.templates' is missing")
            .at(&infrastructure.at);
        faults.push(
            fault.help("write 'infrastructure:', below it 'templates:', and below that one '- file:' entry"),
        );
        return None;
    };
    unknown(infrastructure, &["templates"], faults);
    let Some([first, rest @ ..]) = templates.items() else {
        let what = if templates.items().is_some() {
            "empty"
        } else {
            templates.what()
        };
        let message = format!("'templates' must be a list with one entry, but is {what}");
        faults.push(
            Fault::error("manifest/shape", message)
                .at(&templates.at)
                .help(HELP),
        );
        return None;
    };
    if let Some(second) = rest.first() {
        let message = "'templates' has more than one entry, but only one can be deployed";
        faults.push(
            Fault::error("manifest/shape", message)
                .at(&second.at)
                .help("join the files, or make templates of their own of them"),
        );
    }
    Some(first)
}

fn is_map(entry: &Node, faults: &mut Faults) -> bool {
    let is = entry.members().is_some();
    if !is {
        let message = format!("an entry of 'templates' is a map, but this is {}", entry.what());
        faults.push(Fault::error("manifest/shape", message).at(&entry.at).help(HELP));
    }
    is
}

/// What `file` names, with its place. `missing` helps where it is not there.
fn file_name<'a>(entry: &'a Node, missing: &str, faults: &mut Faults) -> Option<(&'a Node, &'a str)> {
    let Some(file) = entry.get("file") else {
        faults.push(
            Fault::error("manifest/file", "'file' is missing")
                .at(&entry.at)
                .help(missing),
        );
        return None;
    };
    let Some(name) = file.string().filter(|name| !name.is_empty()) else {
        faults.push(
            Fault::error(
                "manifest/file",
                format!("'file' must be a name, but is {}", file.what()),
            )
            .at(&file.at)
            .help("write the name of the template file"),
        );
        return None;
    };
    Some((file, name))
}

fn engine(entry: &Node, faults: &mut Faults) -> Option<Engine> {
    let renderer = entry.get("rendering_engine");
    let language = entry.get("template_language");
    let word = |node: Option<&Node>| node.and_then(Node::string).unwrap_or("").to_ascii_lowercase();
    let engine = match (word(renderer).as_str(), word(language).as_str()) {
        ("jinja", "cloudformation") => Engine::CloudFormation,
        ("hcl", "terraform") => Engine::Terraform,
        ("codebuild", "") => Engine::CodeBuild,
        (renderer_word, language_word) => {
            let (at, message) = match (renderer, language) {
                (None, _) => (entry, "'rendering_engine' is missing".to_owned()),
                (Some(_), None) if renderer_word == "jinja" || renderer_word == "hcl" => {
                    (entry, "'template_language' is missing".to_owned())
                }
                (Some(renderer), None) => (
                    renderer,
                    format!("'{}' is not a rendering engine", clip(renderer_word)),
                ),
                (Some(_), Some(language)) => (
                    language,
                    format!(
                        "rendering engine '{}' does not go with template language '{}'",
                        clip(renderer_word),
                        clip(language_word)
                    ),
                ),
            };
            let help = "known: jinja with cloudformation, hcl with terraform, and codebuild without a template_language";
            faults.push(Fault::error("manifest/engine", message).at(&at.at).help(help));
            return None;
        }
    };
    Some(engine)
}

fn files(
    bundle: &Bundle,
    dir: &str,
    engine: Engine,
    entry: &Node,
    faults: &mut Faults,
) -> Option<Vec<String>> {
    let help = format!("name one of: {}", files_in(bundle, dir));
    let (file, name) = file_name(entry, &help, faults)?;
    if name == "*" && engine == Engine::Terraform {
        let files: Vec<String> = bundle
            .names_in(dir)
            .into_iter()
            .filter(|name| name.ends_with(".tf"))
            .map(|name| format!("{dir}/{name}"))
            .collect();
        if files.is_empty() {
            faults.push(
                Fault::error("manifest/file", format!("'{dir}' holds no .tf file"))
                    .at(&file.at)
                    .help("add the Terraform files beside the manifest"),
            );
            return None;
        }
        return Some(files);
    }
    if name == "*" {
        let fault = Fault::error(
            "manifest/file",
            "'*' stands for several files, but CloudFormation takes one",
        )
        .at(&file.at);
        faults.push(fault.help(format!("name one of: {}", files_in(bundle, dir))));
        return None;
    }
    if name.contains('/') {
        let fault =
            Fault::error("manifest/file", format!("'{}' has a directory in it", clip(name))).at(&file.at);
        faults.push(fault.help("put the template beside the manifest and write only its name"));
        return None;
    }
    let path = format!("{dir}/{name}");
    if bundle.get(&path).is_none() || name == "manifest.yaml" {
        let known: Vec<&str> = bundle
            .names_in(dir)
            .into_iter()
            .filter(|name| *name != "manifest.yaml")
            .collect();
        let fault = Fault::error(
            "manifest/file",
            format!("'{}' is not among the files of '{dir}'", clip(name)),
        )
        .at(&file.at);
        faults.push(fault.help(format!("files there: {}", listed(known))));
        return None;
    }
    Some(vec![path])
}

fn settings(entry: &Node, faults: &mut Faults) -> BuildSettings {
    let mut out = BuildSettings::default();
    let Some(node) = entry.get("settings").filter(|node| node.members().is_some()) else {
        let at = entry.get("settings").unwrap_or(entry);
        let fault = Fault::error(
            "manifest/settings",
            "a CodeBuild manifest needs the map 'settings'",
        )
        .at(&at.at);
        faults.push(
            fault.help("add 'settings:' with 'provision:' and 'deprovision:', each a list of commands"),
        );
        return out;
    };
    let known = [
        "image",
        "runtimes",
        "env",
        "provision",
        "deprovision",
        "project_properties",
        "input_type",
    ];
    unknown(node, &known, faults);
    out.image = node.get("image").and_then(Node::string).map(str::to_owned);
    for (key, version) in node.get("runtimes").and_then(Node::members).unwrap_or_default() {
        if let (Some(name), Some(version)) = (key.string(), version.string()) {
            out.runtimes.insert(name.to_owned(), version.to_owned());
        }
    }
    for (key, into) in [
        ("provision", &mut out.provision),
        ("deprovision", &mut out.deprovision),
    ] {
        let Some(list) = node.get(key) else {
            let fault = Fault::error("manifest/settings", format!("'{key}' is missing")).at(&node.at);
            faults.push(fault.help("give a list of shell commands; an empty list is fine"));
            continue;
        };
        let Some(items) = list.items() else {
            let message = format!("'{key}' must be a list of commands, but is {}", list.what());
            faults.push(
                Fault::error("manifest/settings", message)
                    .at(&list.at)
                    .help("begin each command with '- '"),
            );
            continue;
        };
        for item in items {
            match item.string() {
                Some(command) => into.push(command.to_owned()),
                None => {
                    let message = format!("a command of '{key}' must be text, but is {}", item.what());
                    faults.push(
                        Fault::error("manifest/settings", message)
                            .at(&item.at)
                            .help("put the command in quotes"),
                    );
                }
            }
        }
    }
    if let Some(kind) = node.get("input_type")
        && !matches!(kind.text(), Some("JSON" | "HCL"))
    {
        let message = format!(
            "'input_type' is '{}', but only JSON and HCL are known",
            clip(kind.text().unwrap_or_else(|| kind.what()))
        );
        faults.push(
            Fault::error("manifest/settings", message)
                .at(&kind.at)
                .help("write JSON or HCL, or leave it out for JSON"),
        );
    }
    out
}
