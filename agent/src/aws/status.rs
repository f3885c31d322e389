//! The 23 words that `CloudFormation` has for the state of a stack.

use std::fmt;

macro_rules! statuses {
    ($($name:ident $text:literal $doc:literal,)*) => {
        /// The state of a stack.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum StackStatus {
            $(#[doc = $doc] $name,)*
            /// A word that this version does not know. Treated as "something is going on, do not act".
            Unknown(String),
        }

        impl StackStatus {
            /// All known words.
            pub const ALL: [Self; 23] = [$(Self::$name,)*];

            /// As AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for StackStatus {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$name,)*
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }
    };
}

statuses! {
    CreateInProgress "CREATE_IN_PROGRESS" "Being made.",
    CreateFailed "CREATE_FAILED" "Could not be made, and was not rolled back.",
    CreateComplete "CREATE_COMPLETE" "Made.",
    RollbackInProgress "ROLLBACK_IN_PROGRESS" "Could not be made; being taken back.",
    RollbackFailed "ROLLBACK_FAILED" "Could not be made nor taken back.",
    RollbackComplete "ROLLBACK_COMPLETE" "Could not be made; taken back. Can only be deleted.",
    DeleteInProgress "DELETE_IN_PROGRESS" "Being deleted.",
    DeleteFailed "DELETE_FAILED" "Could not be deleted.",
    DeleteComplete "DELETE_COMPLETE" "Deleted; only its ARN still finds it.",
    UpdateInProgress "UPDATE_IN_PROGRESS" "Being changed.",
    UpdateCompleteCleanupInProgress "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" "Changed; what was replaced is being removed.",
    UpdateComplete "UPDATE_COMPLETE" "Changed.",
    UpdateFailed "UPDATE_FAILED" "Could not be changed, and was not rolled back.",
    UpdateRollbackInProgress "UPDATE_ROLLBACK_IN_PROGRESS" "Could not be changed; being taken back.",
    UpdateRollbackFailed "UPDATE_ROLLBACK_FAILED" "Could not be changed nor taken back.",
    UpdateRollbackCompleteCleanupInProgress "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
        "Taken back; what the attempt made is being removed.",
    UpdateRollbackComplete "UPDATE_ROLLBACK_COMPLETE" "Could not be changed; is what it was.",
    ReviewInProgress "REVIEW_IN_PROGRESS" "Has change sets and nothing else: a name without content.",
    ImportInProgress "IMPORT_IN_PROGRESS" "Taking resources over.",
    ImportComplete "IMPORT_COMPLETE" "Took resources over.",
    ImportRollbackInProgress "IMPORT_ROLLBACK_IN_PROGRESS" "Could not take resources over; being taken back.",
    ImportRollbackFailed "IMPORT_ROLLBACK_FAILED" "Could not take resources over nor be taken back.",
    ImportRollbackComplete "IMPORT_ROLLBACK_COMPLETE" "Could not take resources over; is what it was.",
}

impl StackStatus {
    /// The stack is what its last successful operation made it.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(
            self,
            Self::CreateComplete | Self::UpdateComplete | Self::ImportComplete
        )
    }

    /// Something goes on that will end by itself.
    #[must_use]
    pub const fn is_moving(&self) -> bool {
        matches!(
            self,
            Self::CreateInProgress
                | Self::RollbackInProgress
                | Self::DeleteInProgress
                | Self::UpdateInProgress
                | Self::UpdateCompleteCleanupInProgress
                | Self::UpdateRollbackInProgress
                | Self::UpdateRollbackCompleteCleanupInProgress
                | Self::ImportInProgress
                | Self::ImportRollbackInProgress
                | Self::Unknown(_)
        )
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for status in StackStatus::ALL {
            assert_eq!(StackStatus::from(status.as_str()), status);
        }
        assert_eq!(StackStatus::from("SHINY_NEW").as_str(), "SHINY_NEW");
    }
}
