//! Specs on their way to another process and back: one list of values in the order they were written, and the texts that
//! their places are in, each once. A list has no depth, so no reader of it can be made to nest.

use std::sync::Arc;

use hadron_proto::vocab::{EnvironmentName, InstanceName};
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Source, Spot};
use crate::spec::{InstanceSpec, ServiceSpec, SpecMap, SpecNode, SpecValue};

/// How deep values may be: twice what the reader of YAML takes.
const DEPTH: usize = 128;

/// A map of named values.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FlatMap(Flat);

/// A service spec.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FlatService {
    pipeline: bool,
    instances: Vec<(InstanceName, EnvironmentName)>,
    /// The pipeline's map, if there is one, and then one map for each instance.
    values: Flat,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Flat {
    /// File and text.
    sources: Vec<(String, String)>,
    nodes: Vec<FlatNode>,
}

#[derive(Clone, Serialize, Deserialize)]
struct FlatNode {
    #[serde(rename = "w")]
    what: What,
    /// Which source, and line, column and length in it.
    #[serde(rename = "p")]
    place: (usize, [u32; 3]),
}

#[derive(Clone, Serialize, Deserialize)]
enum What {
    #[serde(rename = "p")]
    Plain(String),
    #[serde(rename = "q")]
    Quoted(String),
    /// So many values follow.
    #[serde(rename = "l")]
    List(usize),
    /// A map follows, which has a place of its own.
    #[serde(rename = "i")]
    Inner,
    /// A value for each of these names follows.
    #[serde(rename = "m")]
    Map(Vec<String>),
}

#[derive(Default)]
struct Writer {
    flat: Flat,
    known: Vec<Arc<Source>>,
}

impl Writer {
    fn push(&mut self, what: What, at: &Spot) {
        let (source, place) = at.parts();
        // Nearly all places are in one or two sources.
        let same = |known: &Arc<Source>| Arc::ptr_eq(known, source) || known == source;
        let index = match self.known.iter().position(same) {
            Some(index) => index,
            None => {
                self.known.push(Arc::clone(source));
                let (file, text) = (source.file().to_owned(), source.text().to_owned());
                self.flat.sources.push((file, text));
                self.known.len() - 1
            }
        };
        self.flat.nodes.push(FlatNode {
            what,
            place: (index, place),
        });
    }

    fn map(&mut self, map: &SpecMap) {
        self.push(What::Map(map.keys().cloned().collect()), &map.at);
        map.values().for_each(|value| self.value(value));
    }

    fn value(&mut self, value: &SpecValue) {
        match &value.node {
            SpecNode::Scalar { text, plain: true } => self.push(What::Plain(text.clone()), &value.at),
            SpecNode::Scalar { text, plain: false } => self.push(What::Quoted(text.clone()), &value.at),
            SpecNode::List(items) => {
                self.push(What::List(items.len()), &value.at);
                items.iter().for_each(|item| self.value(item));
            }
            SpecNode::Map(map) => {
                self.push(What::Inner, &value.at);
                self.map(map);
            }
        }
    }
}

struct Reader {
    sources: Vec<Arc<Source>>,
    nodes: std::vec::IntoIter<FlatNode>,
}

impl Reader {
    fn new(flat: Flat) -> Self {
        let sources = flat.sources.into_iter();
        Self {
            sources: sources.map(|(file, text)| Source::new(file, text)).collect(),
            nodes: flat.nodes.into_iter(),
        }
    }

    fn next(&mut self) -> Result<(What, Spot), &'static str> {
        let node = self.nodes.next().ok_or("a spec ends in its middle")?;
        let (source, [line, column, length]) = node.place;
        let source = self.sources.get(source).ok_or("a place is in no source")?;
        Ok((node.what, Spot::new(Arc::clone(source), line, column, length)))
    }

    fn map(&mut self, depth: usize) -> Result<SpecMap, &'static str> {
        let (What::Map(names), at) = self.next()? else {
            return Err("a map of a spec is none");
        };
        let mut map = SpecMap::empty(at);
        for name in names {
            let value = self.value(depth + 1)?;
            map.insert(name, value);
        }
        Ok(map)
    }

    fn value(&mut self, depth: usize) -> Result<SpecValue, &'static str> {
        if depth > DEPTH {
            return Err("a spec is nested too deeply");
        }
        let (what, at) = self.next()?;
        let node = match what {
            What::Plain(text) => SpecNode::Scalar { text, plain: true },
            What::Quoted(text) => SpecNode::Scalar { text, plain: false },
            What::Inner => SpecNode::Map(self.map(depth)?),
            What::List(count) => {
                let items = (0..count).map(|_| self.value(depth + 1));
                SpecNode::List(items.collect::<Result<_, _>>()?)
            }
            What::Map(_) => return Err("a map of a spec stands where a value should"),
        };
        Ok(SpecValue { node, at })
    }

    fn end(mut self) -> Result<(), &'static str> {
        match self.nodes.next() {
            None => Ok(()),
            Some(_) => Err("a spec has values that belong nowhere"),
        }
    }
}

impl From<SpecMap> for FlatMap {
    fn from(map: SpecMap) -> Self {
        let mut writer = Writer::default();
        writer.map(&map);
        Self(writer.flat)
    }
}

impl TryFrom<FlatMap> for SpecMap {
    type Error = &'static str;
    fn try_from(flat: FlatMap) -> Result<Self, Self::Error> {
        let mut reader = Reader::new(flat.0);
        let map = reader.map(0)?;
        reader.end()?;
        Ok(map)
    }
}

impl From<ServiceSpec> for FlatService {
    fn from(spec: ServiceSpec) -> Self {
        let mut writer = Writer::default();
        let maps = spec
            .pipeline
            .iter()
            .chain(spec.instances.iter().map(|each| &each.inputs));
        maps.for_each(|map| writer.map(map));
        Self {
            pipeline: spec.pipeline.is_some(),
            instances: spec
                .instances
                .into_iter()
                .map(|each| (each.name, each.environment))
                .collect(),
            values: writer.flat,
        }
    }
}

impl TryFrom<FlatService> for ServiceSpec {
    type Error = &'static str;
    fn try_from(flat: FlatService) -> Result<Self, Self::Error> {
        let mut reader = Reader::new(flat.values);
        let pipeline = flat.pipeline.then(|| reader.map(0)).transpose()?;
        let mut instances = Vec::new();
        for (name, environment) in flat.instances {
            let inputs = reader.map(0)?;
            instances.push(InstanceSpec {
                name,
                environment,
                inputs,
            });
        }
        reader.end()?;
        Ok(Self { pipeline, instances })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "proton: ServiceSpec
pipeline:
  branches: [main, 'x']
  none: []
instances:
  - name: one
    environment: prd
    spec:
      port: 80
      account: '012345678901'
      empty: {}
      nested: { a: [{ b: [], c: { d: [[]] } }, ~] }
  - name: two
    environment: dev
";

    #[test]
    fn a_spec_comes_back_as_it_was_with_its_places() {
        let spec = ServiceSpec::parse("spec.yaml", SPEC).unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(
            json.matches("proton: ServiceSpec").count(),
            1,
            "the text travels once"
        );
        let back: ServiceSpec = serde_json::from_str(&json).unwrap();
        assert_eq!(back, spec);
        // Equality of specs does not count places and quotes: this does.
        assert_eq!(format!("{back:?}"), format!("{spec:?}"));
        let map = &spec.instances[0].inputs;
        let back: SpecMap = serde_json::from_str(&serde_json::to_string(map).unwrap()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{map:?}"));
        assert_eq!(back["port"].at.place(), map["port"].at.place());
    }

    #[test]
    fn what_is_no_spec_is_refused() {
        let spec = ServiceSpec::parse("spec.yaml", SPEC).unwrap();
        let whole = serde_json::to_value(&spec).unwrap();
        let broken = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut json = whole.clone();
            change(&mut json);
            serde_json::from_value::<ServiceSpec>(json)
                .unwrap_err()
                .to_string()
        };
        let nodes = |json: &mut serde_json::Value, change: &dyn Fn(&mut Vec<serde_json::Value>)| {
            change(json["values"]["nodes"].as_array_mut().unwrap());
        };
        let ends = broken(&|json| nodes(json, &|nodes| drop(nodes.pop())));
        assert!(ends.contains("ends in its middle"), "{ends}");
        let more = broken(&|json| nodes(json, &|nodes| nodes.push(nodes[0].clone())));
        assert!(more.contains("belong nowhere"), "{more}");
        let place = broken(&|json| json["values"]["sources"] = serde_json::json!([]));
        assert!(place.contains("in no source"), "{place}");
        let deep = broken(&|json| {
            nodes(json, &|nodes| {
                let list = serde_json::json!({ "w": { "l": 1 }, "p": [0, [1, 1, 1]] });
                nodes.splice(1..1, std::iter::repeat_n(list, 100_000));
            });
        });
        assert!(deep.contains("too deeply"), "{deep}");
    }
}
