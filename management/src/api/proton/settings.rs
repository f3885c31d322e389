//! Settings of the management account.

use super::shapes::{
    GetAccountSettingsInput, GetAccountSettingsOutput, UpdateAccountSettingsInput,
    UpdateAccountSettingsOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn get_account_settings(
        &self,
        _call: &Call,
        _input: GetAccountSettingsInput,
    ) -> Result<GetAccountSettingsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_account_settings(
        &self,
        _call: &Call,
        _input: UpdateAccountSettingsInput,
    ) -> Result<UpdateAccountSettingsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
