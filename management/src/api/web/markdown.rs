//! Markdown that strangers wrote, as HTML that cannot do anything: no HTML of theirs, no images (nothing is loaded from
//! elsewhere), links to the web and to mail only. Headings begin below those of the page.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::show::Html;

/// Where a link may lead.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

fn leads_out(to: &str) -> bool {
    let plain = to.bytes().all(|byte| byte.is_ascii_graphic());
    let begins = |scheme: &&str| {
        to.get(..scheme.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    };
    plain && SCHEMES.iter().any(begins)
}

const fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

/// What of a document is shown, event by event.
#[derive(Default)]
struct Sieve {
    /// For each link that is open, whether it is shown as one.
    links: Vec<bool>,
}

impl Sieve {
    fn pass<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        Some(match event {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => {
                let shown = leads_out(&dest_url);
                self.links.push(shown);
                if !shown {
                    return None;
                }
                Event::Start(Tag::Link {
                    link_type,
                    dest_url,
                    title,
                    id,
                })
            }
            Event::End(TagEnd::Link) => {
                if !self.links.pop().unwrap_or(false) {
                    return None;
                }
                event
            }
            // What it says for those who see no images is its text.
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => return None,
            Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
                level: below(level),
                id: None,
                classes: Vec::new(),
                attrs: Vec::new(),
            }),
            Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
            // How columns are aligned would be said by inline styles.
            Event::Start(Tag::Table(columns)) => {
                let plain = vec![pulldown_cmark::Alignment::None; columns.len()];
                Event::Start(Tag::Table(plain))
            }
            // What language it is in would be written into a class.
            Event::Start(Tag::CodeBlock(_)) => Event::Start(Tag::CodeBlock(
                pulldown_cmark::CodeBlockKind::Fenced(CowStr::Borrowed("")),
            )),
            other => other,
        })
    }
}

/// A document as HTML.
pub(super) fn html(text: &str) -> Html {
    let mut sieve = Sieve::default();
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let events = parser.filter_map(|event| sieve.pass(event));
    let mut out = String::new();
    html::push_html(&mut out, events);
    Html(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_shown() {
        let text = "# Web\n\nA *good* [service](https://example.com/a?b=c&d).\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n```sh\nmake <all>\n```\n";
        let shown = html(text).0;
        for part in [
            "<h2>Web</h2>",
            "<em>good</em>",
            "<a href=\"https://example.com/a?b=c&amp;d\">service</a>",
            "<th>a</th>",
            "<pre><code>make &lt;all&gt;\n</code></pre>",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("style"), "{shown}");
    }

    #[test]
    fn what_could_do_something_is_text() {
        let text = "<script>alert(1)</script>\n\n<b onclick=x>hi</b> ![alt <x>](https://evil.example/x.png)\n\n\
            [a](javascript:alert(1)) [b](JaVaScRiPt:x) [c](data:text/html,x) [d](//evil.example) [e](/settings) [f](<https://a b>)\n\n\
            [g]: java\u{9}script:x\n[g] <javascript:x> <https://fine.example>\n\n[![badge](https://evil.example/i.svg)](https://fine.example/b)\n";
        let shown = html(text).0;
        for part in [
            "<script", "<b ", "<img", "href=\"j", "href=\"J", "href=\"d", "href=\"/", "src=",
        ] {
            assert!(!shown.contains(part), "{part}: {shown}");
        }
        assert!(
            shown.contains("&lt;script&gt;") && shown.contains("alt &lt;x&gt;"),
            "{shown}"
        );
        assert!(shown.contains("<a href=\"https://fine.example\">"), "{shown}");
        assert!(
            shown.contains("<a href=\"https://fine.example/b\">badge</a>"),
            "{shown}"
        );
    }
}
