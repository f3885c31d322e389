//! How many of each thing there may be. The hub's configuration says it (`[quotas]`), so that a runaway script is stopped
//! by a clear answer and not by a full disk; whoever runs the hub can raise each number.
//!
//! A use case counts what exists in the transaction that adds to it and asks [`Quotas::room`].

use super::{AppError, ErrorKind};

/// The numbers. The defaults are well above what Proton gave an account, so that nobody who moves here meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Templates, for environments and for services together.
    pub templates: u32,
    /// Versions of one template.
    pub versions_per_template: u32,
    /// Environments.
    pub environments: u32,
    /// Services.
    pub services: u32,
    /// Instances of one service; those whose deletion failed count.
    pub instances_per_service: u32,
    /// Components.
    pub components: u32,
    /// Connections that one environment account may have asked for.
    pub connections_per_account: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            templates: 1_000,
            versions_per_template: 1_000,
            environments: 1_000,
            services: 10_000,
            instances_per_service: 100,
            components: 1_000,
            connections_per_account: 100,
        }
    }
}

/// One of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a field of Quotas")]
pub enum Quota {
    Templates,
    VersionsPerTemplate,
    Environments,
    Services,
    InstancesPerService,
    Components,
    ConnectionsPerAccount,
}

impl Quota {
    /// All of them, in the order of the configuration.
    pub const ALL: [Self; 7] = [
        Self::Templates,
        Self::VersionsPerTemplate,
        Self::Environments,
        Self::Services,
        Self::InstancesPerService,
        Self::Components,
        Self::ConnectionsPerAccount,
    ];

    /// What is counted, for people.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Templates => "templates",
            Self::VersionsPerTemplate => "versions per template",
            Self::Environments => "environments",
            Self::Services => "services",
            Self::InstancesPerService => "instances per service",
            Self::Components => "components",
            Self::ConnectionsPerAccount => "connections per environment account",
        }
    }

    /// Its key in the configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Templates => "quotas.templates",
            Self::VersionsPerTemplate => "quotas.versions_per_template",
            Self::Environments => "quotas.environments",
            Self::Services => "quotas.services",
            Self::InstancesPerService => "quotas.instances_per_service",
            Self::Components => "quotas.components",
            Self::ConnectionsPerAccount => "quotas.connections_per_account",
        }
    }

    /// The stable word of the error.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Templates => "QUOTA_TEMPLATES",
            Self::VersionsPerTemplate => "QUOTA_VERSIONS_PER_TEMPLATE",
            Self::Environments => "QUOTA_ENVIRONMENTS",
            Self::Services => "QUOTA_SERVICES",
            Self::InstancesPerService => "QUOTA_INSTANCES_PER_SERVICE",
            Self::Components => "QUOTA_COMPONENTS",
            Self::ConnectionsPerAccount => "QUOTA_CONNECTIONS_PER_ACCOUNT",
        }
    }
}

impl Quotas {
    /// The number of one quota.
    #[must_use]
    pub const fn limit(&self, quota: Quota) -> u32 {
        match quota {
            Quota::Templates => self.templates,
            Quota::VersionsPerTemplate => self.versions_per_template,
            Quota::Environments => self.environments,
            Quota::Services => self.services,
            Quota::InstancesPerService => self.instances_per_service,
            Quota::Components => self.components,
            Quota::ConnectionsPerAccount => self.connections_per_account,
        }
    }

    /// Whether there is room for one more beside the `used` ones that exist.
    ///
    /// # Errors
    /// With the quota's name, its number and the key that raises it.
    pub fn room(&self, quota: Quota, used: u64) -> Result<(), AppError> {
        let limit = self.limit(quota);
        if used < u64::from(limit) {
            Ok(())
        } else {
            Err(AppError::quota(quota, limit))
        }
    }
}

impl AppError {
    /// There are as many as are allowed.
    #[must_use]
    pub fn quota(quota: Quota, limit: u32) -> Self {
        let (what, key) = (quota.what(), quota.key());
        Self::new(
            ErrorKind::Quota,
            quota.reason(),
            format!("the quota for {what} is {limit}, and all of them exist"),
        )
        .help(format!(
            "delete what is not needed any more, or have the hub's configuration allow more: {key}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_fits_and_the_next_is_told_what_to_raise() {
        let quotas = Quotas {
            environments: 2,
            ..Quotas::default()
        };
        quotas.room(Quota::Environments, 1).unwrap();
        let error = quotas.room(Quota::Environments, 2).unwrap_err();
        assert_eq!(
            (error.kind, error.reason),
            (ErrorKind::Quota, "QUOTA_ENVIRONMENTS")
        );
        assert_eq!(
            error.message,
            "the quota for environments is 2, and all of them exist"
        );
        assert!(error.help.unwrap().ends_with("quotas.environments"));
    }

    #[test]
    fn nobody_who_comes_from_proton_has_less_than_before() {
        let quotas = Quotas::default();
        let published = [100, 500, 100, 1000, 20, 100, 5];
        for (quota, least) in Quota::ALL.into_iter().zip(published) {
            assert!(quotas.limit(quota) >= least, "{}", quota.key());
            let word = quota.key().strip_prefix("quotas.").unwrap().to_uppercase();
            assert_eq!(quota.reason(), format!("QUOTA_{word}"));
        }
    }
}
