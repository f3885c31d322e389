//! What was said before can still be said: the messages of `wire/` are compared with those of the state before, so that
//! agents and clients of that one, and hubs beside them, go on understanding one another.
//!
//! Protobuf may grow: fields, enum values, methods. Whatever is there keeps its number, its type, its place and its name.
//! `compatible/previous.bin` is the descriptor set of the last release; at a release it is replaced by
//! `src/gen/hadron.v1.bin` (`HADRON_RELEASE=1 cargo test -p hadron-proto --test compatible`).

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Everything that has a name, by that name: what it is, in words that have to stay the same.
fn said(set: &FileDescriptorSet) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    for file in set.file.iter().filter(|file| file.package() == "hadron.v1") {
        for message in &file.message_type {
            messages(file.package(), message, &mut said);
        }
        for each in &file.enum_type {
            enums(file.package(), each, &mut said);
        }
        for service in &file.service {
            for method in &service.method {
                let way =
                    |streams: bool, kind: &str| format!("{}{kind}", if streams { "stream " } else { "" });
                said.insert(
                    format!("{}.{}.{}", file.package(), service.name(), method.name()),
                    format!(
                        "method ({}) returns ({})",
                        way(method.client_streaming(), method.input_type()),
                        way(method.server_streaming(), method.output_type())
                    ),
                );
            }
        }
    }
    said
}

fn messages(outer: &str, message: &DescriptorProto, said: &mut BTreeMap<String, String>) {
    let name = format!("{outer}.{}", message.name());
    said.insert(name.clone(), "message".to_owned());
    for field in &message.field {
        // Numbers are what travels: a field is known by its number and keeps its name for people and for JSON.
        said.insert(format!("{name} field {}", field.number()), shape(message, field));
    }
    for inner in &message.nested_type {
        messages(&name, inner, said);
    }
    for each in &message.enum_type {
        enums(&name, each, said);
    }
}

fn shape(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let oneof = field.oneof_index.and_then(|index| {
        let index = usize::try_from(index).ok()?;
        message
            .oneof_decl
            .get(index)
            .map(|oneof| format!(" in {}", oneof.name()))
    });
    let repeated = if field.label() == Label::Repeated {
        "repeated "
    } else {
        ""
    };
    let kind = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().to_owned(),
        plain => format!("{plain:?}"),
    };
    format!(
        "{} is {repeated}{kind}{}",
        field.name(),
        oneof.unwrap_or_default()
    )
}

fn enums(outer: &str, each: &EnumDescriptorProto, said: &mut BTreeMap<String, String>) {
    let name = format!("{outer}.{}", each.name());
    said.insert(name.clone(), "enum".to_owned());
    for value in &each.value {
        said.insert(
            format!("{name} value {}", value.number()),
            value.name().to_owned(),
        );
    }
}

/// What was said in `before` and is not said any more, or means something else.
fn broken(before: &FileDescriptorSet, now: &FileDescriptorSet) -> Vec<String> {
    let now = said(now);
    let differs = |(name, was): (String, String)| match now.get(&name) {
        Some(is) if *is == was => None,
        Some(is) => Some(format!("{name}: was '{was}', is '{is}'")),
        None => Some(format!("{name}: was '{was}', is gone")),
    };
    said(before).into_iter().filter_map(differs).collect()
}

fn read(path: &Path) -> FileDescriptorSet {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    FileDescriptorSet::decode(bytes.as_slice()).expect("a descriptor set")
}

fn present() -> FileDescriptorSet {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gen/hadron.v1.bin"))
}

#[test]
fn what_the_last_release_says_is_understood() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compatible/previous.bin");
    let now = present();
    let broken = broken(&read(&kept), &now);
    assert!(
        broken.is_empty(),
        "the wire may only grow; hubs and agents of the last release would misunderstand:\n  {}",
        broken.join("\n  ")
    );
    if std::env::var_os("HADRON_RELEASE").is_some() {
        std::fs::write(kept, now.encode_to_vec()).expect("tests/compatible can be written");
    }
}

#[test]
fn every_sort_of_break_is_found() {
    type Break = fn(&mut FileDescriptorSet);
    fn agent(set: &mut FileDescriptorSet) -> &mut prost_types::FileDescriptorProto {
        let file = set
            .file
            .iter_mut()
            .find(|file| file.name().ends_with("agent.proto"));
        file.expect("agent.proto")
    }
    fn hello(set: &mut FileDescriptorSet) -> &mut DescriptorProto {
        let messages = &mut agent(set).message_type;
        messages
            .iter_mut()
            .find(|message| message.name() == "Hello")
            .expect("Hello")
    }
    let breaks: [(&str, Break); 9] = [
        ("another number", |set| hello(set).field[0].number = Some(99)),
        ("another type", |set| hello(set).field[1].set_type(Type::Uint64)),
        ("another name", |set| {
            hello(set).field[0].name = Some("other".to_owned())
        }),
        ("not repeated any more", |set| {
            hello(set).field[3].set_label(Label::Optional)
        }),
        ("a field that is gone", |set| drop(hello(set).field.pop())),
        ("a message that is gone", |set| {
            agent(set)
                .message_type
                .retain(|message| message.name() != "Hello")
        }),
        ("a method that is gone", |set| {
            drop(agent(set).service[1].method.pop())
        }),
        ("a method that answers once", |set| {
            agent(set).service[1].method[0].server_streaming = Some(false)
        }),
        ("an enum value with another meaning", |set| {
            agent(set).enum_type[0].value[1].name = Some("OTHER_MEANING".to_owned());
        }),
    ];
    let before = present();
    assert_eq!(broken(&before, &before), Vec::<String>::new());
    for (what, spoil) in breaks {
        let mut now = before.clone();
        spoil(&mut now);
        assert!(!broken(&before, &now).is_empty(), "{what} was not found");
    }
    // Growing is fine.
    let mut now = before.clone();
    let field = FieldDescriptorProto {
        name: Some("later".to_owned()),
        number: Some(77),
        r#type: Some(Type::String.into()),
        ..FieldDescriptorProto::default()
    };
    hello(&mut now).field.push(field);
    assert_eq!(broken(&before, &now), Vec::<String>::new());
}
