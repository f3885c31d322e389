// Generated from model/proton-2020-07-20.json by `cargo xtask gen`; changes by hand are lost.

//! What requests have to be like, as tables for [`validate`](super::validate).

use super::validate::{Integer, List, Member, Pattern, Shape, Structure, Text};

pub(super) static ACCEPT_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "id",
        required: true,
        token: false,
        shape: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_ID),
    }],
};

static ARN: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(200),
    pattern: Some(Pattern::new(
        "^arn:(aws|aws-cn|aws-us-gov):[a-zA-Z0-9-]+:[a-zA-Z0-9-]*:\\d{12}:([\\w+=,.@-]+[/:])*[\\w+=,.@-]+$",
    )),
    values: &[],
};

static AWS_ACCOUNT_ID: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: Some(Pattern::new("^\\d{12}$")),
    values: &[],
};

pub(super) static CANCEL_COMPONENT_DEPLOYMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "componentName",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static CANCEL_ENVIRONMENT_DEPLOYMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "environmentName",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static CANCEL_SERVICE_INSTANCE_DEPLOYMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "serviceInstanceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static CANCEL_SERVICE_PIPELINE_DEPLOYMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "serviceName",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

static CLIENT_TOKEN: Text = Text {
    sensitive: false,
    min: Some(0),
    max: Some(64),
    pattern: Some(Pattern::new("^[!-~]*$")),
    values: &[],
};

pub(super) static COMPATIBLE_ENVIRONMENT_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "majorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

static COMPATIBLE_ENVIRONMENT_TEMPLATE_INPUT_LIST: List = List {
    min: Some(1),
    max: Some(10),
    item: Shape::Structure(&COMPATIBLE_ENVIRONMENT_TEMPLATE_INPUT),
};

static COMPONENT_DEPLOYMENT_UPDATE_TYPE: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["NONE", "CURRENT_VERSION"],
};

pub(super) static CREATE_COMPONENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "clientToken",
            required: false,
            token: true,
            shape: Shape::Text(&CLIENT_TOKEN),
        },
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "environmentName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "manifest",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_MANIFEST_CONTENTS),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceInstanceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceSpec",
            required: false,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
        Member {
            name: "templateFile",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_FILE_CONTENTS),
        },
    ],
};

pub(super) static CREATE_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "clientToken",
            required: false,
            token: true,
            shape: Shape::Text(&CLIENT_TOKEN),
        },
        Member {
            name: "codebuildRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "componentRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "environmentName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "managementAccountId",
            required: true,
            token: false,
            shape: Shape::Text(&AWS_ACCOUNT_ID),
        },
        Member {
            name: "roleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
    ],
};

pub(super) static CREATE_ENVIRONMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "codebuildRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "componentRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "environmentAccountConnectionId",
            required: false,
            token: false,
            shape: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_ID),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "protonServiceRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "provisioningRepository",
            required: false,
            token: false,
            shape: Shape::Structure(&REPOSITORY_BRANCH_INPUT),
        },
        Member {
            name: "spec",
            required: true,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
        Member {
            name: "templateMajorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateMinorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static CREATE_ENVIRONMENT_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "displayName",
            required: false,
            token: false,
            shape: Shape::Text(&DISPLAY_NAME),
        },
        Member {
            name: "encryptionKey",
            required: false,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "provisioning",
            required: false,
            token: false,
            shape: Shape::Text(&PROVISIONING),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
    ],
};

pub(super) static CREATE_ENVIRONMENT_TEMPLATE_VERSION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "clientToken",
            required: false,
            token: true,
            shape: Shape::Text(&CLIENT_TOKEN),
        },
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "majorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "source",
            required: true,
            token: false,
            shape: Shape::Structure(&TEMPLATE_VERSION_SOURCE_INPUT),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static CREATE_REPOSITORY_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "connectionArn",
            required: true,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "encryptionKey",
            required: false,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "provider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
    ],
};

pub(super) static CREATE_SERVICE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "branchName",
            required: false,
            token: false,
            shape: Shape::Text(&GIT_BRANCH_NAME),
        },
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "repositoryConnectionArn",
            required: false,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "repositoryId",
            required: false,
            token: false,
            shape: Shape::Text(&REPOSITORY_ID),
        },
        Member {
            name: "spec",
            required: true,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
        Member {
            name: "templateMajorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateMinorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static CREATE_SERVICE_INSTANCE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "clientToken",
            required: false,
            token: true,
            shape: Shape::Text(&CLIENT_TOKEN),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "spec",
            required: true,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
        Member {
            name: "templateMajorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateMinorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
    ],
};

pub(super) static CREATE_SERVICE_SYNC_CONFIG_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "branch",
            required: true,
            token: false,
            shape: Shape::Text(&GIT_BRANCH_NAME),
        },
        Member {
            name: "filePath",
            required: true,
            token: false,
            shape: Shape::Text(&OPS_FILE_PATH),
        },
        Member {
            name: "repositoryName",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "repositoryProvider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static CREATE_SERVICE_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "displayName",
            required: false,
            token: false,
            shape: Shape::Text(&DISPLAY_NAME),
        },
        Member {
            name: "encryptionKey",
            required: false,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "pipelineProvisioning",
            required: false,
            token: false,
            shape: Shape::Text(&PROVISIONING),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
    ],
};

pub(super) static CREATE_SERVICE_TEMPLATE_VERSION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "clientToken",
            required: false,
            token: true,
            shape: Shape::Text(&CLIENT_TOKEN),
        },
        Member {
            name: "compatibleEnvironmentTemplates",
            required: true,
            token: false,
            shape: Shape::List(&COMPATIBLE_ENVIRONMENT_TEMPLATE_INPUT_LIST),
        },
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "majorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "source",
            required: true,
            token: false,
            shape: Shape::Structure(&TEMPLATE_VERSION_SOURCE_INPUT),
        },
        Member {
            name: "supportedComponentSources",
            required: false,
            token: false,
            shape: Shape::List(&SERVICE_TEMPLATE_SUPPORTED_COMPONENT_SOURCE_INPUT_LIST),
        },
        Member {
            name: "tags",
            required: false,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static CREATE_TEMPLATE_SYNC_CONFIG_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "branch",
            required: true,
            token: false,
            shape: Shape::Text(&GIT_BRANCH_NAME),
        },
        Member {
            name: "repositoryName",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "repositoryProvider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
        Member {
            name: "subdirectory",
            required: false,
            token: false,
            shape: Shape::Text(&SUBDIRECTORY),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "templateType",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_TYPE),
        },
    ],
};

pub(super) static DELETE_COMPONENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static DELETE_DEPLOYMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "id",
        required: true,
        token: false,
        shape: Shape::Text(&DEPLOYMENT_ID),
    }],
};

pub(super) static DELETE_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "id",
        required: true,
        token: false,
        shape: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_ID),
    }],
};

pub(super) static DELETE_ENVIRONMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static DELETE_ENVIRONMENT_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static DELETE_ENVIRONMENT_TEMPLATE_VERSION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "majorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "minorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static DELETE_REPOSITORY_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "provider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
    ],
};

pub(super) static DELETE_SERVICE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static DELETE_SERVICE_SYNC_CONFIG_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "serviceName",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static DELETE_SERVICE_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static DELETE_SERVICE_TEMPLATE_VERSION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "majorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "minorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static DELETE_TEMPLATE_SYNC_CONFIG_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "templateType",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_TYPE),
        },
    ],
};

static DEPLOYMENT_ID: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: Some(Pattern::new(
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    )),
    values: &[],
};

static DEPLOYMENT_UPDATE_TYPE: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["NONE", "CURRENT_VERSION", "MINOR_VERSION", "MAJOR_VERSION"],
};

static DESCRIPTION: Text = Text {
    sensitive: true,
    min: Some(0),
    max: Some(500),
    pattern: None,
    values: &[],
};

static DISPLAY_NAME: Text = Text {
    sensitive: true,
    min: Some(1),
    max: Some(100),
    pattern: None,
    values: &[],
};

static EMPTY_NEXT_TOKEN: Text = Text {
    sensitive: false,
    min: Some(0),
    max: Some(0),
    pattern: None,
    values: &[],
};

static ENVIRONMENT_ACCOUNT_CONNECTION_ID: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: Some(Pattern::new(
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    )),
    values: &[],
};

static ENVIRONMENT_ACCOUNT_CONNECTION_REQUESTER_ACCOUNT_TYPE: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["MANAGEMENT_ACCOUNT", "ENVIRONMENT_ACCOUNT"],
};

static ENVIRONMENT_ACCOUNT_CONNECTION_STATUS: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["PENDING", "CONNECTED", "REJECTED"],
};

static ENVIRONMENT_ACCOUNT_CONNECTION_STATUS_LIST: List = List {
    min: None,
    max: None,
    item: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_STATUS),
};

pub(super) static ENVIRONMENT_TEMPLATE_FILTER: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "majorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

static ENVIRONMENT_TEMPLATE_FILTER_LIST: List = List {
    min: None,
    max: None,
    item: Shape::Structure(&ENVIRONMENT_TEMPLATE_FILTER),
};

pub(super) static GET_ACCOUNT_SETTINGS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[],
};

pub(super) static GET_COMPONENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static GET_DEPLOYMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "componentName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "environmentName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "id",
            required: true,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_ID),
        },
        Member {
            name: "serviceInstanceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static GET_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "id",
        required: true,
        token: false,
        shape: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_ID),
    }],
};

pub(super) static GET_ENVIRONMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static GET_ENVIRONMENT_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static GET_ENVIRONMENT_TEMPLATE_VERSION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "majorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "minorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static GET_REPOSITORY_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "provider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
    ],
};

pub(super) static GET_REPOSITORY_SYNC_STATUS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "branch",
            required: true,
            token: false,
            shape: Shape::Text(&GIT_BRANCH_NAME),
        },
        Member {
            name: "repositoryName",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "repositoryProvider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
        Member {
            name: "syncType",
            required: true,
            token: false,
            shape: Shape::Text(&SYNC_TYPE),
        },
    ],
};

pub(super) static GET_RESOURCES_SUMMARY_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[],
};

pub(super) static GET_SERVICE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static GET_SERVICE_INSTANCE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static GET_SERVICE_INSTANCE_SYNC_STATUS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "serviceInstanceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static GET_SERVICE_SYNC_BLOCKER_SUMMARY_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "serviceInstanceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static GET_SERVICE_SYNC_CONFIG_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "serviceName",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static GET_SERVICE_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "name",
        required: true,
        token: false,
        shape: Shape::Text(&RESOURCE_NAME),
    }],
};

pub(super) static GET_SERVICE_TEMPLATE_VERSION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "majorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "minorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static GET_TEMPLATE_SYNC_CONFIG_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "templateType",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_TYPE),
        },
    ],
};

pub(super) static GET_TEMPLATE_SYNC_STATUS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "templateType",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_TYPE),
        },
        Member {
            name: "templateVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
    ],
};

static GIT_BRANCH_NAME: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(200),
    pattern: None,
    values: &[],
};

pub(super) static LIST_COMPONENT_OUTPUTS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "componentName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "deploymentId",
            required: false,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_ID),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_COMPONENT_PROVISIONED_RESOURCES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "componentName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_COMPONENTS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "environmentName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
        Member {
            name: "serviceInstanceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static LIST_DEPLOYMENTS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "componentName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "environmentName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
        Member {
            name: "serviceInstanceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static LIST_ENVIRONMENT_ACCOUNT_CONNECTIONS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "environmentName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
        Member {
            name: "requestedBy",
            required: true,
            token: false,
            shape: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_REQUESTER_ACCOUNT_TYPE),
        },
        Member {
            name: "statuses",
            required: false,
            token: false,
            shape: Shape::List(&ENVIRONMENT_ACCOUNT_CONNECTION_STATUS_LIST),
        },
    ],
};

pub(super) static LIST_ENVIRONMENT_OUTPUTS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "deploymentId",
            required: false,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_ID),
        },
        Member {
            name: "environmentName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_ENVIRONMENT_PROVISIONED_RESOURCES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "environmentName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_ENVIRONMENT_TEMPLATE_VERSIONS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "majorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static LIST_ENVIRONMENT_TEMPLATES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_ENVIRONMENTS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "environmentTemplates",
            required: false,
            token: false,
            shape: Shape::List(&ENVIRONMENT_TEMPLATE_FILTER_LIST),
        },
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_REPOSITORIES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_REPOSITORY_SYNC_DEFINITIONS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
        Member {
            name: "repositoryName",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "repositoryProvider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
        Member {
            name: "syncType",
            required: true,
            token: false,
            shape: Shape::Text(&SYNC_TYPE),
        },
    ],
};

pub(super) static LIST_SERVICE_INSTANCE_OUTPUTS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "deploymentId",
            required: false,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_ID),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
        Member {
            name: "serviceInstanceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static LIST_SERVICE_INSTANCE_PROVISIONED_RESOURCES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
        Member {
            name: "serviceInstanceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static LIST_SERVICE_INSTANCES_FILTER: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "key",
            required: false,
            token: false,
            shape: Shape::Text(&LIST_SERVICE_INSTANCES_FILTER_BY),
        },
        Member {
            name: "value",
            required: false,
            token: false,
            shape: Shape::Text(&LIST_SERVICE_INSTANCES_FILTER_VALUE),
        },
    ],
};

static LIST_SERVICE_INSTANCES_FILTER_BY: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &[
        "name",
        "deploymentStatus",
        "templateName",
        "serviceName",
        "deployedTemplateVersionStatus",
        "environmentName",
        "lastDeploymentAttemptedAtBefore",
        "lastDeploymentAttemptedAtAfter",
        "createdAtBefore",
        "createdAtAfter",
    ],
};

static LIST_SERVICE_INSTANCES_FILTER_LIST: List = List {
    min: None,
    max: None,
    item: Shape::Structure(&LIST_SERVICE_INSTANCES_FILTER),
};

static LIST_SERVICE_INSTANCES_FILTER_VALUE: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &[],
};

pub(super) static LIST_SERVICE_INSTANCES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "filters",
            required: false,
            token: false,
            shape: Shape::List(&LIST_SERVICE_INSTANCES_FILTER_LIST),
        },
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
        Member {
            name: "serviceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "sortBy",
            required: false,
            token: false,
            shape: Shape::Text(&LIST_SERVICE_INSTANCES_SORT_BY),
        },
        Member {
            name: "sortOrder",
            required: false,
            token: false,
            shape: Shape::Text(&SORT_ORDER),
        },
    ],
};

static LIST_SERVICE_INSTANCES_SORT_BY: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &[
        "name",
        "deploymentStatus",
        "templateName",
        "serviceName",
        "environmentName",
        "lastDeploymentAttemptedAt",
        "createdAt",
    ],
};

pub(super) static LIST_SERVICE_PIPELINE_OUTPUTS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "deploymentId",
            required: false,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_ID),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static LIST_SERVICE_PIPELINE_PROVISIONED_RESOURCES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&EMPTY_NEXT_TOKEN),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static LIST_SERVICE_TEMPLATE_VERSIONS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "majorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static LIST_SERVICE_TEMPLATES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_SERVICES_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&NEXT_TOKEN),
        },
    ],
};

pub(super) static LIST_TAGS_FOR_RESOURCE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "maxResults",
            required: false,
            token: false,
            shape: Shape::Integer(&MAX_PAGE_RESULTS),
        },
        Member {
            name: "nextToken",
            required: false,
            token: false,
            shape: Shape::Text(&STRING),
        },
        Member {
            name: "resourceArn",
            required: true,
            token: false,
            shape: Shape::Text(&ARN),
        },
    ],
};

static MAX_PAGE_RESULTS: Integer = Integer {
    min: Some(1),
    max: Some(100),
};

static NEXT_TOKEN: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: Some(Pattern::new("^[A-Za-z0-9+=/]+$")),
    values: &[],
};

pub(super) static NOTIFY_RESOURCE_DEPLOYMENT_STATUS_CHANGE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "deploymentId",
            required: false,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_ID),
        },
        Member {
            name: "outputs",
            required: false,
            token: false,
            shape: Shape::List(&NOTIFY_RESOURCE_DEPLOYMENT_STATUS_CHANGE_INPUT_OUTPUTS_LIST),
        },
        Member {
            name: "resourceArn",
            required: true,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "status",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_DEPLOYMENT_STATUS),
        },
        Member {
            name: "statusMessage",
            required: false,
            token: false,
            shape: Shape::Text(&NOTIFY_RESOURCE_DEPLOYMENT_STATUS_CHANGE_INPUT_STATUS_MESSAGE_STRING),
        },
    ],
};

static NOTIFY_RESOURCE_DEPLOYMENT_STATUS_CHANGE_INPUT_OUTPUTS_LIST: List = List {
    min: Some(0),
    max: Some(50),
    item: Shape::Structure(&OUTPUT),
};

static NOTIFY_RESOURCE_DEPLOYMENT_STATUS_CHANGE_INPUT_STATUS_MESSAGE_STRING: Text = Text {
    sensitive: true,
    min: Some(0),
    max: Some(5000),
    pattern: None,
    values: &[],
};

static OPS_FILE_PATH: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(4096),
    pattern: None,
    values: &[],
};

pub(super) static OUTPUT: Structure = Structure {
    sensitive: true,
    union: false,
    members: &[
        Member {
            name: "key",
            required: false,
            token: false,
            shape: Shape::Text(&OUTPUT_KEY),
        },
        Member {
            name: "valueString",
            required: false,
            token: false,
            shape: Shape::Text(&OUTPUT_VALUE_STRING),
        },
    ],
};

static OUTPUT_KEY: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(1024),
    pattern: None,
    values: &[],
};

static OUTPUT_VALUE_STRING: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(1024),
    pattern: None,
    values: &[],
};

static PROVISIONING: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["CUSTOMER_MANAGED"],
};

pub(super) static REJECT_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[Member {
        name: "id",
        required: true,
        token: false,
        shape: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_ID),
    }],
};

pub(super) static REPOSITORY_BRANCH_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "branch",
            required: true,
            token: false,
            shape: Shape::Text(&GIT_BRANCH_NAME),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "provider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
    ],
};

static REPOSITORY_ID: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(200),
    pattern: None,
    values: &[],
};

static REPOSITORY_NAME: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(100),
    pattern: Some(Pattern::new("[A-Za-z0-9_.-].*/[A-Za-z0-9_.-].*")),
    values: &[],
};

static REPOSITORY_PROVIDER: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET"],
};

static RESOURCE_DEPLOYMENT_STATUS: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["IN_PROGRESS", "FAILED", "SUCCEEDED"],
};

static RESOURCE_NAME: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(100),
    pattern: Some(Pattern::new("^[0-9A-Za-z]+[0-9A-Za-z_\\-]*$")),
    values: &[],
};

static RESOURCE_NAME_OR_EMPTY: Text = Text {
    sensitive: false,
    min: Some(0),
    max: Some(100),
    pattern: Some(Pattern::new("(^$)|^[0-9A-Za-z]+[0-9A-Za-z_\\-]*$")),
    values: &[],
};

static ROLE_ARN: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(2048),
    pattern: Some(Pattern::new(
        "^arn:(aws|aws-cn|aws-us-gov):iam::\\d{12}:role/([\\w+=,.@-]{1,512}[/:])*([\\w+=,.@-]{1,64})$",
    )),
    values: &[],
};

static ROLE_ARN_OR_EMPTY_STRING: Text = Text {
    sensitive: false,
    min: Some(0),
    max: Some(2048),
    pattern: Some(Pattern::new(
        "(^$)|(^arn:(aws|aws-cn|aws-us-gov):iam::\\d{12}:role/([\\w+=,.@-]{1,512}[/:])*([\\w+=,.@-]{1,64})$)",
    )),
    values: &[],
};

static S3_BUCKET: Text = Text {
    sensitive: false,
    min: Some(3),
    max: Some(63),
    pattern: Some(Pattern::new("^[a-z0-9]+[a-z0-9-\\.]+[a-z0-9]+$")),
    values: &[],
};

static S3_KEY: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(1024),
    pattern: None,
    values: &[],
};

pub(super) static S3_OBJECT_SOURCE: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "bucket",
            required: true,
            token: false,
            shape: Shape::Text(&S3_BUCKET),
        },
        Member {
            name: "key",
            required: true,
            token: false,
            shape: Shape::Text(&S3_KEY),
        },
    ],
};

static SERVICE_TEMPLATE_SUPPORTED_COMPONENT_SOURCE_INPUT_LIST: List = List {
    min: None,
    max: None,
    item: Shape::Text(&SERVICE_TEMPLATE_SUPPORTED_COMPONENT_SOURCE_TYPE),
};

static SERVICE_TEMPLATE_SUPPORTED_COMPONENT_SOURCE_TYPE: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["DIRECTLY_DEFINED"],
};

static SORT_ORDER: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["ASCENDING", "DESCENDING"],
};

static SPEC_CONTENTS: Text = Text {
    sensitive: true,
    min: Some(1),
    max: Some(51200),
    pattern: None,
    values: &[],
};

static STRING: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &[],
};

static SUBDIRECTORY: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(4096),
    pattern: None,
    values: &[],
};

static SYNC_TYPE: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["TEMPLATE_SYNC", "SERVICE_SYNC"],
};

pub(super) static TAG: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "key",
            required: true,
            token: false,
            shape: Shape::Text(&TAG_KEY),
        },
        Member {
            name: "value",
            required: true,
            token: false,
            shape: Shape::Text(&TAG_VALUE),
        },
    ],
};

static TAG_KEY: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(128),
    pattern: None,
    values: &[],
};

static TAG_KEY_LIST: List = List {
    min: Some(0),
    max: Some(50),
    item: Shape::Text(&TAG_KEY),
};

static TAG_LIST: List = List {
    min: Some(0),
    max: Some(50),
    item: Shape::Structure(&TAG),
};

pub(super) static TAG_RESOURCE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "resourceArn",
            required: true,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "tags",
            required: true,
            token: false,
            shape: Shape::List(&TAG_LIST),
        },
    ],
};

static TAG_VALUE: Text = Text {
    sensitive: false,
    min: Some(0),
    max: Some(256),
    pattern: None,
    values: &[],
};

static TEMPLATE_FILE_CONTENTS: Text = Text {
    sensitive: true,
    min: Some(1),
    max: Some(51200),
    pattern: None,
    values: &[],
};

static TEMPLATE_MANIFEST_CONTENTS: Text = Text {
    sensitive: true,
    min: Some(1),
    max: Some(1024),
    pattern: None,
    values: &[],
};

static TEMPLATE_TYPE: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &["ENVIRONMENT", "SERVICE"],
};

static TEMPLATE_VERSION_PART: Text = Text {
    sensitive: false,
    min: Some(1),
    max: Some(20),
    pattern: Some(Pattern::new("^(0|([1-9]{1}\\d*))$")),
    values: &[],
};

pub(super) static TEMPLATE_VERSION_SOURCE_INPUT: Structure = Structure {
    sensitive: false,
    union: true,
    members: &[Member {
        name: "s3",
        required: false,
        token: false,
        shape: Shape::Structure(&S3_OBJECT_SOURCE),
    }],
};

static TEMPLATE_VERSION_STATUS: Text = Text {
    sensitive: false,
    min: None,
    max: None,
    pattern: None,
    values: &[
        "REGISTRATION_IN_PROGRESS",
        "REGISTRATION_FAILED",
        "DRAFT",
        "PUBLISHED",
    ],
};

pub(super) static UNTAG_RESOURCE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "resourceArn",
            required: true,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "tagKeys",
            required: true,
            token: false,
            shape: Shape::List(&TAG_KEY_LIST),
        },
    ],
};

pub(super) static UPDATE_ACCOUNT_SETTINGS_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "deletePipelineProvisioningRepository",
            required: false,
            token: false,
            shape: Shape::Boolean,
        },
        Member {
            name: "pipelineCodebuildRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN_OR_EMPTY_STRING),
        },
        Member {
            name: "pipelineProvisioningRepository",
            required: false,
            token: false,
            shape: Shape::Structure(&REPOSITORY_BRANCH_INPUT),
        },
        Member {
            name: "pipelineServiceRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN_OR_EMPTY_STRING),
        },
    ],
};

pub(super) static UPDATE_COMPONENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "clientToken",
            required: false,
            token: true,
            shape: Shape::Text(&CLIENT_TOKEN),
        },
        Member {
            name: "deploymentType",
            required: true,
            token: false,
            shape: Shape::Text(&COMPONENT_DEPLOYMENT_UPDATE_TYPE),
        },
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceInstanceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME_OR_EMPTY),
        },
        Member {
            name: "serviceName",
            required: false,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME_OR_EMPTY),
        },
        Member {
            name: "serviceSpec",
            required: false,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
        Member {
            name: "templateFile",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_FILE_CONTENTS),
        },
    ],
};

pub(super) static UPDATE_ENVIRONMENT_ACCOUNT_CONNECTION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "codebuildRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "componentRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "id",
            required: true,
            token: false,
            shape: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_ID),
        },
        Member {
            name: "roleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
    ],
};

pub(super) static UPDATE_ENVIRONMENT_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "codebuildRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "componentRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ROLE_ARN),
        },
        Member {
            name: "deploymentType",
            required: true,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_UPDATE_TYPE),
        },
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "environmentAccountConnectionId",
            required: false,
            token: false,
            shape: Shape::Text(&ENVIRONMENT_ACCOUNT_CONNECTION_ID),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "protonServiceRoleArn",
            required: false,
            token: false,
            shape: Shape::Text(&ARN),
        },
        Member {
            name: "provisioningRepository",
            required: false,
            token: false,
            shape: Shape::Structure(&REPOSITORY_BRANCH_INPUT),
        },
        Member {
            name: "spec",
            required: false,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
        Member {
            name: "templateMajorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateMinorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
    ],
};

pub(super) static UPDATE_ENVIRONMENT_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "displayName",
            required: false,
            token: false,
            shape: Shape::Text(&DISPLAY_NAME),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static UPDATE_ENVIRONMENT_TEMPLATE_VERSION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "majorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "minorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "status",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_STATUS),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static UPDATE_SERVICE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "spec",
            required: false,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
    ],
};

pub(super) static UPDATE_SERVICE_INSTANCE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "clientToken",
            required: false,
            token: true,
            shape: Shape::Text(&CLIENT_TOKEN),
        },
        Member {
            name: "deploymentType",
            required: true,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_UPDATE_TYPE),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "spec",
            required: false,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
        Member {
            name: "templateMajorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateMinorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
    ],
};

pub(super) static UPDATE_SERVICE_PIPELINE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "deploymentType",
            required: true,
            token: false,
            shape: Shape::Text(&DEPLOYMENT_UPDATE_TYPE),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "spec",
            required: true,
            token: false,
            shape: Shape::Text(&SPEC_CONTENTS),
        },
        Member {
            name: "templateMajorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "templateMinorVersion",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
    ],
};

pub(super) static UPDATE_SERVICE_SYNC_BLOCKER_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "id",
            required: true,
            token: false,
            shape: Shape::Text(&STRING),
        },
        Member {
            name: "resolvedReason",
            required: true,
            token: false,
            shape: Shape::Text(&STRING),
        },
    ],
};

pub(super) static UPDATE_SERVICE_SYNC_CONFIG_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "branch",
            required: true,
            token: false,
            shape: Shape::Text(&GIT_BRANCH_NAME),
        },
        Member {
            name: "filePath",
            required: true,
            token: false,
            shape: Shape::Text(&OPS_FILE_PATH),
        },
        Member {
            name: "repositoryName",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "repositoryProvider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
        Member {
            name: "serviceName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static UPDATE_SERVICE_TEMPLATE_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "displayName",
            required: false,
            token: false,
            shape: Shape::Text(&DISPLAY_NAME),
        },
        Member {
            name: "name",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static UPDATE_SERVICE_TEMPLATE_VERSION_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "compatibleEnvironmentTemplates",
            required: false,
            token: false,
            shape: Shape::List(&COMPATIBLE_ENVIRONMENT_TEMPLATE_INPUT_LIST),
        },
        Member {
            name: "description",
            required: false,
            token: false,
            shape: Shape::Text(&DESCRIPTION),
        },
        Member {
            name: "majorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "minorVersion",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_PART),
        },
        Member {
            name: "status",
            required: false,
            token: false,
            shape: Shape::Text(&TEMPLATE_VERSION_STATUS),
        },
        Member {
            name: "supportedComponentSources",
            required: false,
            token: false,
            shape: Shape::List(&SERVICE_TEMPLATE_SUPPORTED_COMPONENT_SOURCE_INPUT_LIST),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
    ],
};

pub(super) static UPDATE_TEMPLATE_SYNC_CONFIG_INPUT: Structure = Structure {
    sensitive: false,
    union: false,
    members: &[
        Member {
            name: "branch",
            required: true,
            token: false,
            shape: Shape::Text(&GIT_BRANCH_NAME),
        },
        Member {
            name: "repositoryName",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_NAME),
        },
        Member {
            name: "repositoryProvider",
            required: true,
            token: false,
            shape: Shape::Text(&REPOSITORY_PROVIDER),
        },
        Member {
            name: "subdirectory",
            required: false,
            token: false,
            shape: Shape::Text(&SUBDIRECTORY),
        },
        Member {
            name: "templateName",
            required: true,
            token: false,
            shape: Shape::Text(&RESOURCE_NAME),
        },
        Member {
            name: "templateType",
            required: true,
            token: false,
            shape: Shape::Text(&TEMPLATE_TYPE),
        },
    ],
};
