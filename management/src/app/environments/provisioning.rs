//! Who makes an environment true, and with which roles.
//!
//! Proton knew three ways: a role of the management account, a connection to another account, a repository for pull
//! requests. Exactly one is named when an environment is created, and it stays in that account for good. Environments of
//! customer-managed templates are made by somebody else: there the role or the connection only says where and with what
//! their services are provisioned.

use hadron_domain::target::Provisioning;
use hadron_proto::vocab::{AccountId, ConnectionId, EnvironmentName, RoleArn};
use hadron_templates::{BundleKind, Engine};

use crate::app::bundles::Bundled;
use crate::app::{AppError, Unit};
use crate::store::connections::ConnectionRow;
use crate::store::settings::RepositoryBranch;
use crate::store::targets::{self, EnvironmentRoles};

/// How a new environment is provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// Nothing was said: in the management account, with the role that the hub was configured with.
    Configured,
    /// Nothing was said where something has to be. Fine where nothing is provisioned.
    Unsaid,
    /// In the management account, with this role.
    Role(RoleArn),
    /// Through this connection, with its roles.
    Connection(ConnectionId),
    /// By pull requests to this repository.
    Repository(RepositoryBranch),
}

impl Path {
    /// The one path that was named, or `otherwise` when none was.
    ///
    /// # Errors
    /// When more than one was named.
    pub fn of(
        role: Option<RoleArn>,
        connection: Option<ConnectionId>,
        repository: Option<RepositoryBranch>,
        otherwise: Self,
    ) -> Result<Self, AppError> {
        match (role, connection, repository) {
            (None, None, None) => Ok(otherwise),
            (Some(role), None, None) => Ok(Self::Role(role)),
            (None, Some(connection), None) => Ok(Self::Connection(connection)),
            (None, None, Some(repository)) => Ok(Self::Repository(repository)),
            _ => Err(AppError::invalid(
                "PROVISIONING_PATHS",
                "an environment is provisioned in exactly one way, but more than one was named",
            )
            .help(
                "give one of protonServiceRoleArn (a role of the management account), environmentAccountConnectionId (a \
                 connection, with its own roles) and provisioningRepository",
            )),
        }
    }

    /// The connection that it names.
    #[must_use]
    pub const fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Connection(id) => Some(*id),
            Self::Configured | Self::Unsaid | Self::Role(_) | Self::Repository(_) => None,
        }
    }
}

/// Who provisions what is made from a bundle.
pub(super) fn provisioning(bundle: &Bundled) -> Provisioning {
    if bundle.kind == BundleKind::EnvironmentCustomerManaged {
        Provisioning::CustomerManaged
    } else {
        Provisioning::Stack
    }
}

/// What this hub cannot provision yet is refused before anything is stored.
pub(super) fn available(bundle: &Bundled) -> Result<(), AppError> {
    let (what, instead) = match bundle.engine {
        None | Some(Engine::CloudFormation) => return Ok(()),
        Some(Engine::Terraform) => (
            "Terraform provisioning by pull requests",
            "until then apply it yourself and use a customer-managed template, whose schema names the outputs that \
             services need",
        ),
        Some(Engine::CodeBuild) => (
            "CodeBuild provisioning",
            "until then use a CloudFormation bundle, or run the commands yourself and use a customer-managed template, \
             whose schema names the outputs that services need",
        ),
    };
    Err(AppError::invalid(
        "ENGINE_NOT_AVAILABLE",
        format!("{what} is not available yet, and this template version needs it"),
    )
    .help(instead))
}

/// Whether the path can be taken for this kind of template, with these roles. Roles belong to the management account:
/// connected environments have those of their connection.
pub(super) fn check(
    path: &Path,
    roles: &EnvironmentRoles,
    provisioning: Provisioning,
    management: AccountId,
) -> Result<(), AppError> {
    match (path, provisioning) {
        (Path::Repository(_), _) => return Err(no_repository(provisioning)),
        (Path::Unsaid, Provisioning::Stack) => {
            return Err(AppError::invalid(
                "PROVISIONING_PATH_MISSING",
                "nothing says how the environment is to be provisioned",
            )
            .help(
                "give protonServiceRoleArn (a role of the management account) or environmentAccountConnectionId (a connection \
                 that was accepted for this environment name)",
            ));
        }
        (Path::Connection(_), _) => connected_has_no_roles(roles)?,
        (Path::Configured | Path::Unsaid | Path::Role(_), _) => {}
    }
    own_roles(roles, management)
}

/// Why no repository can be named.
pub(super) fn no_repository(provisioning: Provisioning) -> AppError {
    match provisioning {
        Provisioning::CustomerManaged => AppError::invalid(
            "REPOSITORY_NOT_USED",
            "the template is customer managed: nothing is provisioned, so a provisioning repository has no meaning",
        )
        .help("leave the provisioning repository out"),
        Provisioning::Stack => AppError::invalid(
            "REPOSITORY_NOT_AVAILABLE",
            "provisioning by pull requests to a repository is not available yet",
        )
        .help("give protonServiceRoleArn or environmentAccountConnectionId, with a CloudFormation template"),
    }
}

/// Roles of a connected environment are its connection's.
pub(super) fn connected_has_no_roles(roles: &EnvironmentRoles) -> Result<(), AppError> {
    if *roles == EnvironmentRoles::default() {
        return Ok(());
    }
    Err(AppError::invalid(
        "ROLES_OF_CONNECTION",
        "the roles of an environment in another account are those of its connection and cannot be named here",
    )
    .help(
        "leave the roles out; the environment account changes them with `hadron connection update` or \
         UpdateEnvironmentAccountConnection",
    ))
}

/// Roles of an environment in the management account belong to that account.
pub(super) fn own_roles(roles: &EnvironmentRoles, management: AccountId) -> Result<(), AppError> {
    for role in [&roles.service, &roles.component, &roles.codebuild]
        .into_iter()
        .flatten()
    {
        if role.account() != management {
            return Err(AppError::invalid(
                "ROLE_OF_OTHER_ACCOUNT",
                format!(
                    "role {role} belongs to account {}, but the environment lives in the management account {management}",
                    role.account()
                ),
            )
            .help("name a role of the management account, or create the environment through a connection"));
        }
    }
    Ok(())
}

/// The role that CloudFormation is given for an environment and for the instances in it: the one that the environment was
/// created with, or that of the connection.
pub(in crate::app) async fn service_role(
    unit: &mut Unit<'_>,
    environment: Option<&EnvironmentName>,
    connection: &ConnectionRow,
) -> Result<Option<RoleArn>, AppError> {
    let own = match environment {
        Some(name) => targets::environment_roles(unit.tx, name).await?.service,
        None => None,
    };
    Ok(own.or_else(|| connection.connection.roles.provisioning.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(account: &str) -> RoleArn {
        format!("arn:aws:iam::{account}:role/r").parse().unwrap()
    }

    fn repository() -> RepositoryBranch {
        RepositoryBranch {
            provider: hadron_domain::repository::Provider::Github,
            name: "acme/env".parse().unwrap(),
            branch: "main".to_owned(),
        }
    }

    fn connection() -> ConnectionId {
        "conn_01890000000070008000000000000000".parse().unwrap()
    }

    #[test]
    fn exactly_one_path_is_named() {
        let one = |role, connection, repository| Path::of(role, connection, repository, Path::Unsaid);
        let own = role("111111111111");
        assert_eq!(one(None, None, None).unwrap(), Path::Unsaid);
        assert_eq!(
            one(Some(own.clone()), None, None).unwrap(),
            Path::Role(own.clone())
        );
        assert_eq!(
            one(None, Some(connection()), None).unwrap().connection(),
            Some(connection())
        );
        assert_eq!(
            one(None, None, Some(repository())).unwrap(),
            Path::Repository(repository())
        );
        for (role, connection, repository) in [
            (Some(own.clone()), Some(connection()), None),
            (Some(own.clone()), None, Some(repository())),
            (None, Some(connection()), Some(repository())),
            (Some(own), Some(connection()), Some(repository())),
        ] {
            assert_eq!(
                one(role, connection, repository).unwrap_err().reason,
                "PROVISIONING_PATHS"
            );
        }
    }

    #[test]
    fn what_can_be_taken_depends_on_who_provisions() {
        use Provisioning::{CustomerManaged, Stack};
        let management: AccountId = "111111111111".parse().unwrap();
        let none = EnvironmentRoles::default();
        let with = |account: &str| EnvironmentRoles {
            component: Some(role(account)),
            ..EnvironmentRoles::default()
        };
        let refused = |path: Path, roles: &EnvironmentRoles, by| {
            check(&path, roles, by, management)
                .err()
                .map(|error| error.reason)
        };
        for by in [Stack, CustomerManaged] {
            assert_eq!(refused(Path::Configured, &none, by), None);
            assert_eq!(refused(Path::Configured, &with("111111111111"), by), None);
            assert_eq!(refused(Path::Connection(connection()), &none, by), None);
            let own = Path::Connection(connection());
            assert_eq!(
                refused(own, &with("111111111111"), by),
                Some("ROLES_OF_CONNECTION")
            );
            assert_eq!(
                refused(Path::Configured, &with("333333333333"), by),
                Some("ROLE_OF_OTHER_ACCOUNT")
            );
        }
        assert_eq!(
            refused(Path::Unsaid, &none, Stack),
            Some("PROVISIONING_PATH_MISSING")
        );
        assert_eq!(refused(Path::Unsaid, &none, CustomerManaged), None);
        assert_eq!(
            refused(Path::Repository(repository()), &none, Stack),
            Some("REPOSITORY_NOT_AVAILABLE")
        );
        let meaningless = refused(Path::Repository(repository()), &none, CustomerManaged);
        assert_eq!(meaningless, Some("REPOSITORY_NOT_USED"));
    }
}
