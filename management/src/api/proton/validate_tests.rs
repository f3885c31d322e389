//! Wrong values for every constrained member, made from the service model itself and not from the tables under test.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::api::proton::{Code, Operation};

struct Model(Value);

/// A wrong value, where it is in the request, and what is to be said about it.
struct Wrong {
    path: String,
    value: Value,
    said: String,
    /// A text that must not come back.
    secret: Option<String>,
}

impl Wrong {
    fn new(value: Value, said: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            value,
            said: said.into(),
            secret: None,
        }
    }
}

impl Model {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("model/proton-2020-07-20.json")).unwrap())
    }

    fn shape(&self, name: &Value) -> &Value {
        &self.0["shapes"][name.as_str().unwrap()]
    }

    fn input(&self, operation: Operation) -> &Value {
        &self.0["operations"][operation.name()]["input"]
    }

    /// A value that fulfils everything, with all members there.
    fn valid(&self, name: &Value) -> Value {
        let shape = self.shape(name);
        match shape["type"].as_str().unwrap() {
            "structure" => {
                let members = shape["members"].as_object().unwrap();
                let members = members
                    .iter()
                    .map(|(member, described)| (member.clone(), self.valid(&described["shape"])));
                Value::Object(members.collect::<Map<_, _>>())
            }
            "list" => json!([self.valid(&shape["member"]["shape"])]),
            "integer" => json!(7),
            "boolean" => json!(true),
            "string" if shape.get("enum").is_some() => shape["enum"][0].clone(),
            "string" => json!(match name.as_str().unwrap() {
                "Arn" => "arn:aws:proton:us-east-1:111111111111:service/web/service-instance/web-1",
                "RoleArn" | "RoleArnOrEmptyString" => "arn:aws:iam::111111111111:role/path/of/proton-role",
                "AwsAccountId" => "111111111111",
                "DeploymentId" | "EnvironmentAccountConnectionId" => "0190a5d0-1111-7222-8333-444455556666",
                "NextToken" => "QUJD+/==",
                "RepositoryName" => "org/app",
                "TemplateVersionPart" => "10",
                "EmptyNextToken" => "",
                _ => "word-1",
            }),
            other => panic!("{other} in a request"),
        }
    }

    /// What may be wrong with a value of this shape.
    fn wrongs(&self, name: &Value, hidden: bool) -> Vec<Wrong> {
        let shape = self.shape(name);
        let hidden = hidden || shape["sensitive"] == true;
        let (min, max) = (shape["min"].as_u64(), shape["max"].as_u64());
        let mut wrongs = Vec::new();
        let too_short = |min| format!("Member must have length greater than or equal to {min}");
        let too_long = |max| format!("Member must have length less than or equal to {max}");
        match shape["type"].as_str().unwrap() {
            "structure" => {
                wrongs.push(Wrong::new(json!("text"), "Member must be an object"));
                if shape["union"] == true {
                    wrongs.push(Wrong::new(json!({}), "Member must have exactly one of: ["));
                }
                wrongs.extend(self.members(name, hidden));
            }
            "list" => {
                wrongs.push(Wrong::new(json!({}), "Member must be a list"));
                let item = &shape["member"]["shape"];
                let items = |count: u64| Value::Array((0..count).map(|_| self.valid(item)).collect());
                if let Some(max) = max {
                    wrongs.push(Wrong::new(items(max + 1), too_long(max)));
                }
                if let Some(min) = min.filter(|min| *min > 0) {
                    wrongs.push(Wrong::new(items(min - 1), too_short(min)));
                }
                let mut null = Wrong::new(json!([null]), "Member must not be null");
                null.path = "1.member".to_owned();
                wrongs.push(null);
                for wrong in self.wrongs(item, hidden) {
                    wrongs.push(Wrong {
                        path: format!("2.member.{}", wrong.path)
                            .trim_end_matches('.')
                            .to_owned(),
                        value: json!([self.valid(item), wrong.value]),
                        ..wrong
                    });
                }
            }
            "integer" => {
                let number = "Member must be a whole number of 32 bits";
                for value in [json!("7"), json!(1.5), json!(3_000_000_000_u64), json!([])] {
                    wrongs.push(Wrong::new(value, number));
                }
                if let (Some(min), Some(max)) = (min, max) {
                    let low = format!("Member must have value greater than or equal to {min}");
                    wrongs.push(Wrong::new(json!(min - 1), low));
                    let high = format!("Member must have value less than or equal to {max}");
                    wrongs.push(Wrong::new(json!(max + 1), high));
                }
            }
            "boolean" => wrongs.push(Wrong::new(json!("true"), "Member must be a boolean")),
            "string" => {
                wrongs.push(Wrong::new(json!(7), "Member must be a string"));
                if let Some(max) = max {
                    // Three bytes each: bytes are not what is counted.
                    let long = "\u{20ac}".repeat(usize::try_from(max).unwrap() + 1);
                    wrongs.push(Wrong {
                        secret: hidden.then(|| "\u{20ac}".to_owned()),
                        ..Wrong::new(json!(long), too_long(max))
                    });
                }
                if let Some(min) = min.filter(|min| *min > 0) {
                    wrongs.push(Wrong::new(json!(""), too_short(min)));
                }
                if let Some(pattern) = shape["pattern"].as_str() {
                    let said = format!("Member must satisfy regular expression pattern: {pattern}");
                    wrongs.push(Wrong::new(json!(" \n\u{663} "), said));
                }
                if let Some(values) = shape["enum"].as_array() {
                    let values: Vec<&str> = values.iter().map(|value| value.as_str().unwrap()).collect();
                    let said = format!("Member must satisfy enum value set: [{}]", values.join(", "));
                    wrongs.push(Wrong::new(json!("BOGUS"), said));
                }
            }
            other => panic!("{other} in a request"),
        }
        wrongs
    }

    /// What may be wrong with the members of a structure.
    fn members(&self, name: &Value, hidden: bool) -> Vec<Wrong> {
        let shape = self.shape(name);
        let hidden = hidden || shape["sensitive"] == true;
        let whole = self.valid(name);
        let mut wrongs = Vec::new();
        for (member, described) in shape["members"].as_object().unwrap() {
            if shape["required"]
                .as_array()
                .is_some_and(|list| list.contains(&json!(member)))
            {
                let mut without = whole.clone();
                without.as_object_mut().unwrap().shift_remove(member);
                let mut null = whole.clone();
                null[member] = Value::Null;
                for value in [without, null] {
                    let mut wrong = Wrong::new(value, "Member must not be null");
                    wrong.path.clone_from(member);
                    wrongs.push(wrong);
                }
            }
            for wrong in self.wrongs(&described["shape"], hidden) {
                let mut value = whole.clone();
                value[member] = wrong.value;
                wrongs.push(Wrong {
                    path: format!("{member}.{}", wrong.path)
                        .trim_end_matches('.')
                        .to_owned(),
                    value,
                    ..wrong
                });
            }
        }
        wrongs
    }
}

#[test]
fn every_wrong_value_of_every_input_is_found_and_named() {
    let model = Model::read();
    let (mut count, mut places) = (0, BTreeSet::new());
    for operation in Operation::ALL {
        for wrong in model.members(model.input(operation), false) {
            let fault = checked(operation.input(), wrong.value.clone()).expect_err(&format!(
                "{} takes {} as {}",
                operation.name(),
                wrong.value,
                wrong.path
            ));
            assert_eq!(fault.code(), Code::Validation);
            let message = fault.message();
            let said = format!("at '{}' failed to satisfy constraint: {}", wrong.path, wrong.said);
            assert!(
                message.contains(&said),
                "{}: {message}\nlacks: {said}",
                operation.name()
            );
            assert!(message.len() < 12_000, "{} characters", message.len());
            if let Some(secret) = &wrong.secret {
                assert!(!message.contains(secret), "{}: {message}", operation.name());
            }
            count += 1;
            places.insert(format!("{}.{}", operation.name(), wrong.path));
        }
    }
    println!("{count} wrong values in {} places", places.len());
    assert!(
        count > 900 && places.len() > 300,
        "{count} wrong values in {} places",
        places.len()
    );
}

#[test]
fn every_right_value_passes_and_is_read() {
    let model = Model::read();
    for operation in Operation::ALL {
        let whole = model.valid(model.input(operation));
        let checked = checked(operation.input(), whole.clone()).unwrap();
        assert_eq!(checked, whole, "{}", operation.name());
        operation.reads(checked).unwrap();
        // The least that is enough.
        let shape = model.shape(model.input(operation));
        let mut least = whole;
        least.as_object_mut().unwrap().retain(|name, _| {
            shape["required"]
                .as_array()
                .is_some_and(|list| list.contains(&json!(name)))
        });
        let checked = super::checked(operation.input(), least).unwrap();
        operation.reads(checked).unwrap();
    }
}

#[test]
fn what_the_model_does_not_know_and_what_is_null_is_dropped() {
    let input = json!({
        "name": "web", "future": {"a": [1]}, "description": null,
        "tags": [{"key": "a", "value": "b", "more": 1}],
    });
    let checked = checked(Operation::CreateServiceTemplate.input(), input).unwrap();
    assert_eq!(
        checked,
        json!({"name": "web", "tags": [{"key": "a", "value": "b"}]})
    );
}

#[test]
fn all_violations_come_at_once_in_the_words_of_aws() {
    let input = json!({"name": "bad name!", "deploymentType": "BOGUS", "spec": ""});
    let fault = checked(Operation::UpdateEnvironment.input(), input).unwrap_err();
    assert_eq!(
        fault.message(),
        "3 validation errors detected: Value 'BOGUS' at 'deploymentType' failed to satisfy constraint: Member must \
         satisfy enum value set: [NONE, CURRENT_VERSION, MINOR_VERSION, MAJOR_VERSION]; Value 'bad name!' at 'name' failed \
         to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9A-Za-z]+[0-9A-Za-z_\\-]*$; Value at \
         'spec' failed to satisfy constraint: Member must have length greater than or equal to 1"
    );
    let fault = checked(Operation::GetService.input(), json!({})).unwrap_err();
    assert_eq!(
        fault.message(),
        "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn many_violations_are_counted_and_long_values_cut() {
    let tags = json!({"resourceArn": "x".repeat(500), "tagKeys": vec![""; 50]});
    let fault = checked(Operation::UntagResource.input(), tags).unwrap_err();
    let message = fault.message();
    assert!(
        message.starts_with("52 validation errors detected: "),
        "{message}"
    );
    assert!(message.ends_with("; and 2 more"), "{message}");
    assert!(
        message.contains(&format!("Value '{}...' at", "x".repeat(QUOTED))),
        "{message}"
    );
}

#[test]
fn patterns_match_as_aws_matches_them() {
    let name = |name: &str| {
        let input = json!({"name": name, "provider": "GITHUB"});
        checked(Operation::GetRepository.input(), input).is_ok()
    };
    // The pattern has no anchors; the whole value counts.
    assert!(name("org/app.x") && name("o/a b"));
    assert!(!name("/app") && !name("org/") && !name(" org/app") && !name("org/app\nx"));
    let service = |name: &str| checked(Operation::GetService.input(), json!({ "name": name })).is_ok();
    assert!(service("a_b-1") && !service("a\n") && !service("\u{663}") && !service("-a"));
    let role = |role: &str| {
        let input = json!({"pipelineServiceRoleArn": role});
        checked(Operation::UpdateAccountSettings.input(), input).is_ok()
    };
    assert!(role("") && role("arn:aws-cn:iam::111111111111:role/a/b"));
    assert!(
        !role("arn:aws:iam::11111111111\u{661}:role/a"),
        "digits are ASCII"
    );
}

#[test]
fn what_is_no_json_object_is_refused() {
    assert_eq!(parsed(b"").unwrap(), json!({}));
    for body in [&b"{"[..], b"{'a': 1}", b"\xff", b"{} {}", &[b'['; 200]] {
        let fault = parsed(body).unwrap_err();
        assert!(fault.message().contains("no JSON"), "{}", fault.message());
    }
    for body in [json!([]), json!("a"), json!(null), json!(1)] {
        let fault = checked(Operation::GetAccountSettings.input(), body).unwrap_err();
        assert!(fault.message().contains("no JSON object"), "{}", fault.message());
    }
}

/// AT-85: which of two a reader takes is nothing that a request may hang on.
#[test]
fn a_member_that_is_there_twice_is_refused_at_any_depth() {
    for body in [
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"a","n\u0061me":"b"}"#,
        r#"{"tags":[{"key":"a","value":"b","key":"c"}]}"#,
    ] {
        let fault = parsed(body.as_bytes()).unwrap_err();
        assert!(
            fault.message().contains("is there twice"),
            "{body}: {}",
            fault.message()
        );
    }
    let odd = r#"{"a":null,"b":[true,1,-1,18446744073709551615,1.5,"x"],"c":{"a":{}},"":""}"#;
    let plain: Value = serde_json::from_str(odd).unwrap();
    assert_eq!(parsed(odd.as_bytes()).unwrap(), plain);
}
