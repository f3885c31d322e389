//! What is in the bundles of registered versions, for people: what their publisher wrote about them, and what is different
//! between two of them. Bundles are read by the renderers and nowhere else.

use hadron_domain::authority::{Action, Caller};
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{TemplateName, TemplateVersion};
use hadron_templates::{Answer, Differences, FileDifference, Line, MASK, Question};

use super::{App, AppError};

/// Keeps of a file that it is different, and not how.
fn mask(file: &mut FileDifference) {
    if let Some(lines) = &mut file.lines {
        *lines = vec![Line::Same(MASK.to_owned())];
    }
}

impl App {
    /// What the publisher of a version wrote about it, as Markdown, when there is anything.
    ///
    /// # Errors
    /// When it does not exist, or is not registered.
    pub async fn version_readme(
        &self,
        caller: &Caller,
        kind: TemplateKind,
        name: &TemplateName,
        version: TemplateVersion,
    ) -> Result<Option<String>, AppError> {
        self.may(caller, Action::ReadTemplate).await?;
        let bundle = self.bundle(kind, name, version).await?;
        let asked = Question::Readme(bundle.packed());
        match self.ask(asked, bundle.given()).await? {
            Answer::Readme(text) => Ok(text),
            _ => Err(AppError::internal("another question was answered")),
        }
    }

    /// What is different in a version, compared with another of the same template. Who may read no values sees which files
    /// are different, and not how.
    ///
    /// # Errors
    /// When one of them does not exist, or is not registered.
    pub async fn version_differences(
        &self,
        caller: &Caller,
        kind: TemplateKind,
        name: &TemplateName,
        (before, now): (TemplateVersion, TemplateVersion),
    ) -> Result<Differences, AppError> {
        self.may(caller, Action::ReadTemplate).await?;
        let old = self.bundle(kind, name, before).await?;
        let new = self.bundle(kind, name, now).await?;
        let mut given = old.given();
        new.give(&mut given);
        let asked = Question::Differences(old.packed(), new.packed());
        let Answer::Differences(mut found) = self.ask(asked, given).await? else {
            return Err(AppError::internal("another question was answered"));
        };
        if !caller.may_read_some_plaintext() {
            found.files.iter_mut().for_each(mask);
        }
        Ok(found)
    }
}
