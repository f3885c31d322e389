//! `--query`: a `JMESPath` expression over what a command prints, as users of the AWS command line expect it.

use serde_json::Value;

use super::{Format, clean, say};
use crate::error::{Exit, Failure, Result};
use crate::yaml;

/// An expression that was read.
pub(crate) struct Query {
    text: String,
    expression: jmespath::Expression<'static>,
}

impl Query {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let expression = jmespath::compile(text).map_err(|error| {
            // With the expression and a mark below what is wrong in it.
            Failure::usage("--query is no JMESPath expression")
                .why(error.to_string().trim_end())
                .next("hadron help formats")
        })?;
        Ok(Self {
            text: text.to_owned(),
            expression,
        })
    }

    /// What it finds in a value, in the asked form.
    ///
    /// # Errors
    /// When it asks for something of a value that has no such thing.
    pub(crate) fn find(&self, value: &Value, format: Format) -> Result<String> {
        let wrong = |why: String| {
            Failure::new(Exit::Usage, format!("--query '{}' cannot be answered", self.text)).why(why)
        };
        let found = self
            .expression
            .search(value)
            .map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        let found = serde_json::to_value(&*found).map_err(|error| wrong(error.to_string()))?;
        if found.is_null() && value.get("items").is_some() {
            say(format!(
                "--query '{}' found nothing. What a list has is in its items: items[].name",
                self.text
            ));
        }
        Ok(match format {
            Format::Yaml => yaml::any(&found),
            Format::Jsonl => lines(&found, |one| one.to_string()),
            Format::Name => lines(&found, |one| match one {
                Value::String(text) => clean(text),
                other => other.to_string(),
            }),
            Format::Json | Format::Table | Format::Wide => format!("{found:#}\n"),
        })
    }
}

/// A line for each of several, and none for nothing.
fn lines(found: &Value, line: impl Fn(&Value) -> String) -> String {
    match found {
        Value::Null => String::new(),
        Value::Array(all) => all.iter().map(|one| format!("{}\n", line(one))).collect(),
        one => format!("{}\n", line(one)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(query: &str, format: Format) -> Result<String> {
        let value = json!({ "items": [
            { "name": "prd", "status": "FAILED", "count": 2 },
            { "name": "dev", "status": "SUCCEEDED", "count": 10 },
        ] });
        Query::parse(query)?.find(&value, format)
    }

    #[test]
    fn a_part_of_what_is_printed() {
        let bad = "items[?status=='FAILED'].name";
        assert_eq!(found(bad, Format::Json).unwrap(), "[\n  \"prd\"\n]\n");
        assert_eq!(found("items[].name", Format::Name).unwrap(), "prd\ndev\n");
        assert_eq!(found("items[0].name", Format::Name).unwrap(), "prd\n");
        assert_eq!(found("nothing", Format::Name).unwrap(), "");
        assert_eq!(
            found("items[].{n: name, c: count}", Format::Jsonl).unwrap(),
            "{\"c\":2,\"n\":\"prd\"}\n{\"c\":10,\"n\":\"dev\"}\n"
        );
        assert_eq!(
            found("items[0].{title: name}", Format::Yaml).unwrap(),
            "title: prd\n"
        );
        assert_eq!(found("length(items)", Format::Json).unwrap(), "2\n");
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let slip = found("items[?", Format::Json).unwrap_err();
        assert_eq!(slip.exit, Exit::Usage);
        assert!(slip.to_string().contains("items[?"), "{slip}");
        let kind = found("length(`1`)", Format::Json).unwrap_err();
        assert!(kind.to_string().contains("cannot be answered"), "{kind}");
    }
}
