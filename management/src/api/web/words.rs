//! Every text of the console in each language. Proton's own words (statuses, roles, names of things in AWS) stay as they are in
//! both. A text that one language lacks does not compile.

/// A language of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// English.
    English,
    /// Japanese.
    Japanese,
}

impl Language {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// As browsers name it.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// The language that a tag means, such as `ja-JP`.
    pub(super) fn of(tag: &str) -> Option<Self> {
        let first = tag.split('-').next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(first))
    }
}

macro_rules! words {
    ($($key:ident: $english:literal, $japanese:literal;)*) => {
        /// The texts of one language.
        #[derive(Debug, PartialEq, Eq)]
        pub(super) struct Words {
            $(pub(super) $key: &'static str,)*
        }

        static ENGLISH: Words = Words { $($key: $english,)* };
        static JAPANESE: Words = Words { $($key: $japanese,)* };

        #[cfg(test)]
        impl Words {
            /// All texts by their keys.
            fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($key), self.$key)),*]
            }
        }
    };
}

/// The texts of a language.
pub(super) const fn of(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Japanese => &JAPANESE,
    }
}

impl Words {
    /// What is said after something was done, by the word that the address has for it.
    pub(super) fn done(&self, word: &str) -> Option<&'static str> {
        Some(match word {
            "accepted" => self.done_accepted,
            "rejected" => self.done_rejected,
            "begun" => self.done_begun,
            "cancelling" => self.done_cancelling,
            "deleted" => self.done_deleted,
            "published" => self.done_published,
            "registered" => self.done_registered,
            "saved" => self.done_saved,
            _ => return None,
        })
    }
}

words! {
    lang: "en", "ja";
    skip: "Skip to the content", "本文へ移動";
    nav: "Pages", "ページ";
    nav_overview: "Overview", "概要";
    nav_connections: "Connections", "アカウント接続";
    nav_catalog: "Catalog", "カタログ";
    nav_environments: "Environments", "環境";
    nav_services: "Services", "サービス";
    nav_components: "Components", "コンポーネント";
    nav_deployments: "Deployments", "デプロイ";
    nav_insights: "Insights", "推移";
    nav_grants: "Grants", "プル権限";
    nav_agents: "Agents", "エージェント";
    nav_audit: "Audit", "監査ログ";
    nav_settings: "Settings", "設定";

    sign_in: "Sign in", "サインイン";
    sign_in_title: "Sign in to Hadron", "Hadron にサインイン";
    sign_in_lead: "On a machine where you use the command line with this hub, run:", "このハブをコマンドラインで使っている端末で、次を実行してください。";
    sign_in_more: "It opens this console in your browser, signed in as you are on the command line. The link is good for a minute, and once.", "コマンドラインと同じ本人としてサインインした状態で、ブラウザーにこのコンソールが開きます。リンクは 1 分間、1 回だけ有効です。";
    sign_in_with: "Sign in with NAME", "NAME でサインイン";
    sign_in_or: "Or without the command line:", "コマンドラインを使わない場合:";
    signed_in: "You are signed in", "サインインしました";
    go_to_console: "Go on to the console", "コンソールへ進む";
    sign_in_as: "This link signs you in as:", "このリンクは次の本人としてサインインします。";
    sign_out: "Sign out", "サインアウト";
    your_rights: "Rights", "権限";
    no_role: "no role", "ロールなし";
    session_ends: "Session ends", "セッション終了";
    foreign_form: "this form was not sent by a page of this console that you have open", "このフォームは、開いているこのコンソールのページから送信されたものではありません";
    foreign_form_help: "open the page again and repeat what you did there", "ページを開き直して、もう一度操作してください";

    done_word: "Done", "完了";
    refused_word: "Nothing was changed", "何も変更されていません";
    denied_word: "denied", "拒否";
    failed_word: "failed", "失敗";
    go_on: "How to go on:", "次にできること:";
    done_accepted: "The connection is accepted. Its account's agent may enrol now.", "接続を承認しました。このアカウントのエージェントが登録できます。";
    done_rejected: "The connection is rejected, for good.", "接続を拒否しました。元に戻すことはできません。";
    done_begun: "Accepted. The deployment has begun.", "受け付けました。デプロイを開始しました。";
    done_cancelling: "The deployment is being cancelled.", "デプロイをキャンセルしています。";
    done_deleted: "Deleted.", "削除しました。";
    done_published: "The version is published.", "バージョンを公開しました。";
    done_registered: "The version is registered, as a draft.", "バージョンを下書きとして登録しました。";
    done_saved: "Saved.", "保存しました。";
    error_title: "This page cannot be shown", "このページを表示できません";
    denied_title: "You may not see this", "表示する権限がありません";
    not_found_title: "There is nothing here", "ここには何もありません";
    not_found_lead: "The address names nothing that exists, or nothing that is yours to know of.", "このアドレスのものは存在しないか、参照する権限がありません。";
    nothing_here: "There is nothing yet.", "まだ何もありません。";
    none: "none", "なし";
    all: "all", "すべて";
    more: "More", "続きを表示";
    next: "Next", "次へ";
    now: "now", "現在";
    show: "Show", "表示";
    change: "Change", "変更";
    create: "Create", "作成";
    delete: "Delete", "削除";
    deploy: "Deploy", "デプロイ";
    publish: "Publish", "公開";
    revoke: "Revoke", "取り消し";
    accept: "Accept", "承認";
    reject: "Reject", "拒否";

    status: "Status", "状態";
    kind: "Kind", "種類";
    name: "Name", "名前";
    name_help: "1 to 100 letters, digits, '-' and '_', beginning with a letter or a digit. It cannot be changed later.", "英数字、'-'、'_' で 1〜100 文字。英数字で始めます。後から変更できません。";
    value: "Value", "値";
    description: "Description", "説明";
    display_name: "Display name", "表示名";
    account: "Account", "アカウント";
    management_account: "Management account", "管理アカウント";
    environment_account: "Environment account", "環境アカウント";
    region: "Region", "リージョン";
    role: "Provisioning role", "プロビジョニングロール";
    component_role: "Role for components", "コンポーネント用ロール";
    codebuild_role: "CodeBuild role", "CodeBuild ロール";
    pipeline_role: "Pipeline role", "パイプラインロール";
    principal: "Principal", "プリンシパル";
    created: "Created", "作成日時";
    modified: "Changed", "更新日時";
    began: "Began", "開始";
    ended: "Ended", "終了";
    took: "Took", "所要時間";
    after: "after", "所要";
    attempts: "Attempts", "試行回数";
    number: "No.", "番号";
    requested_by: "Requested by", "要求者";
    requested_at: "Requested", "要求日時";
    last_seen: "last seen", "最終確認";
    last_deployment: "Last deployment", "最新のデプロイ";
    last_succeeded: "Last that succeeded", "最後に成功したデプロイ";
    all_deployments: "All of its deployments", "すべてのデプロイ履歴";
    template: "Template", "テンプレート";
    version: "Version", "バージョン";
    versions: "Versions", "バージョン一覧";
    recommended: "recommended", "推奨";
    newer: "newer:", "新しい推奨版:";
    environment: "Environment", "環境";
    service: "Service", "サービス";
    instance: "Instance", "インスタンス";
    instances: "Instances", "インスタンス";
    instances_and_pipeline: "Instances and pipeline", "インスタンスとパイプライン";
    pipeline: "Pipeline", "パイプライン";
    pipelines: "Pipelines", "パイプライン";
    component: "Component", "コンポーネント";
    connection: "Connection", "アカウント接続";
    repository: "Repository", "リポジトリ";
    ecr_repository: "ECR repository", "ECR リポジトリ";
    branch: "Branch", "ブランチ";
    source: "Source", "ソース";
    source_connection: "ARN of the CodeConnections connection", "CodeConnections 接続の ARN";
    stack: "Stack", "スタック";
    outputs: "Outputs", "出力";
    resources: "Resources", "リソース";
    resource_type: "Type", "タイプ";
    physical_id: "Physical ID", "物理 ID";
    spec: "Spec", "スペック";
    inputs: "Inputs", "入力";
    inputs_instance: "Inputs of each instance", "インスタンスの入力";
    inputs_pipeline: "Inputs of the pipeline", "パイプラインの入力";
    warnings: "Warnings", "警告";
    allowed: "Allowed", "許可される値";
    digest: "Digest", "ダイジェスト";
    runs_in: "Runs in", "対応する環境テンプレート";
    readme: "README", "README (説明)";
    readme_lead: "What its publisher wrote about it.", "公開者による説明。";
    readme_none: "The bundle of this version has no README.md.", "このバージョンのバンドルには README.md がありません。";
    differences: "Differences", "差分";
    differences_from: "What is different from version", "比較元のバージョン:";
    differences_with: "Compare with", "比較元";
    differences_none: "There is no difference.", "違いはありません。";
    differences_none_other: "There is no other version to compare it with.", "比較できる別のバージョンがありません。";
    differences_binary: "This file is no text.", "テキストファイルではありません。";
    deployment: "Deployment", "デプロイ";
    rendered: "Rendered template", "レンダリング後のテンプレート";
    rendered_lead: "What CloudFormation was given.", "CloudFormation に渡された内容。";
    rendered_differences: "What is different from", "比較元:";
    differences_cut: "The rest is left out here.", "以降は省略しています。";
    difference_added: "is new", "追加";
    difference_removed: "is gone", "削除済み";
    difference_changed: "is changed", "変更あり";
    inputs_of: "Of", "対象";
    files: "Files", "ファイル";
    who_runs_it: "Who runs this version", "このバージョンの利用者";
    manifest: "Manifest", "マニフェスト";
    template_file: "Template file", "テンプレートファイル";
    service_spec: "Service spec", "サービススペック";
    attached_to: "Attached to", "接続先";

    overview_waits: "Waits for a decision", "判断待ち";
    overview_none_waits: "Nothing waits for a decision.", "判断待ちのものはありません。";
    overview_failed: "Failed", "失敗しているもの";
    overview_active: "Under way", "進行中";

    connections_lead: "Which account may serve which environment. Requested from the environment account, decided here.", "どのアカウントがどの環境を受け持つか。環境アカウントから要求し、ここで判断します。";
    connections_pending: "Pending", "承認待ち";
    connections_none_pending: "No request waits for a decision.", "承認待ちの要求はありません。";
    connections_others: "Decided", "判断済み";
    connection_decide: "Decide", "判断する";
    connection_decide_lead: "Accepting lets the agent of this account enrol and deploy with the roles below. Rejecting is for good: the account would have to ask again.", "承認すると、このアカウントのエージェントが登録され、下記のロールでデプロイできます。拒否は取り消せず、アカウント側で要求し直す必要があります。";
    connection_reject_title: "Reject this connection", "この接続を拒否";
    connection_reject_lead: "It is accepted now. Rejecting cuts its agents off, for good. A connection that serves an environment cannot be rejected.", "現在は承認済みです。拒否するとエージェントは切断され、元に戻せません。環境が使っている接続は拒否できません。";
    type_account: "Type the account id:", "アカウント ID を入力:";
    type_account_why: "Compare it with what its owner tells you by another way than this page.", "このページ以外の方法で、所有者に確認した ID と照合してください。";
    type_name: "Type the name:", "名前を入力:";
    agent: "Agent", "エージェント";
    agent_role: "Role of the agent", "エージェントのロール";
    agent_key: "Key of the agent (SHA-256)", "エージェントの鍵 (SHA-256)";
    agent_key_none: "no agent has enrolled yet", "登録済みのエージェントはまだありません";
    online: "online", "オンライン";
    offline: "offline", "オフライン";

    catalog_lead: "Templates that environments and services are made from.", "環境とサービスのもとになるテンプレート。";
    template_create: "Register a template", "テンプレートを登録";
    template_create_lead: "A bundle, as Proton knows it: schema, manifests and infrastructure files. What is wrong with it is told all at once.", "Proton と同じ形式のバンドル (スキーマ、マニフェスト、インフラストラクチャーファイル)。問題点はまとめて表示されます。";
    template_for: "What is it a template for?", "何のテンプレートですか?";
    version_register: "Register a version", "バージョンを登録";
    version_new_major: "a new major version", "新しいメジャーバージョン";
    register: "Register", "登録";
    bundle: "Bundle", "バンドル";
    bundle_help: "A .tar.gz or .zip of the folder that contains 'schema', 5 MiB at most.", "'schema' を含むフォルダーの .tar.gz または .zip (5 MiB 以下)。";
    bundle_again: "Choose the file again: browsers do not keep it.", "ファイルをもう一度選択してください (ブラウザーは保持しません)。";
    compatible_help: "For services: environment templates with their major version, such as minimal-env:1, one after another.", "サービスの場合: 環境テンプレートとメジャーバージョン (例: minimal-env:1) を並べます。";
    no_pipeline: "Its services have no pipeline", "サービスにパイプラインがない";
    takes_components: "Components can be attached to its instances", "インスタンスにコンポーネントを接続できる";
    customer_managed: "Somebody else provisions its environments; the bundle has a schema only", "環境は別の方法で用意する (バンドルはスキーマのみ)";
    environment_template: "Environment template", "環境テンプレート";
    service_template: "Service template", "サービステンプレート";
    no_templates: "There is no published template yet: hadron template create NAME BUNDLE --publish", "公開済みのテンプレートがありません: hadron template create NAME BUNDLE --publish";
    choose_template: "From which template?", "どのテンプレートから作りますか?";
    publish_lead: "This version is a draft: it can be used by its number. Publishing recommends it to everybody.", "このバージョンは下書きで、番号を指定すれば使えます。公開すると全員に推奨されます。";

    environments_lead: "Shared infrastructure that services run in.", "サービスが動く共有インフラストラクチャー。";
    environment_create: "Create environment", "環境を作成";
    environment_delete_lead: "Its stack is deleted. An environment that services or components live in cannot be deleted.", "スタックを削除します。サービスやコンポーネントが使っている環境は削除できません。";
    connection_help: "The account that it is provisioned in. The name of the environment has to be that of the connection.", "プロビジョニング先のアカウント。環境の名前は接続の名前と同じにします。";
    services_lead: "Instances in environments, and a pipeline.", "環境ごとのインスタンスと、パイプライン。";
    service_create: "Create service", "サービスを作成";
    service_edit_lead: "Instances that the spec has no more are deleted, new ones are created. Inputs of an instance are changed on its own page.", "スペックから消したインスタンスは削除され、加えたものは作成されます。インスタンスの入力はその画面で変更します。";
    service_delete_lead: "All of its instances and its pipeline are deleted with it.", "すべてのインスタンスとパイプラインも削除されます。";
    instance_add: "Add an instance", "インスタンスを追加";
    components_lead: "Stacks that developers add by themselves, to an instance or beside it.", "開発者がインスタンスに、またはその隣に自分で追加するスタック。";
    component_create: "Create component", "コンポーネントを作成";
    component_form_lead: "One CloudFormation template with Jinja, as for hadron component create. Write it here, or choose the file.", "Jinja を使える CloudFormation テンプレート 1 つ。ここに書くか、ファイルを選択します。";
    or_file: "Or a file for:", "またはファイル:";
    attach_to: "Attach to the instance", "インスタンスに接続";
    attach_help: "It then lives in the environment of that instance. Without one, choose the environment below.", "そのインスタンスの環境に作成されます。接続しない場合は下で環境を選択します。";
    attach_keep: "Leave that as it is", "変更しない";
    attach_detach: "Detach it", "接続を解除";
    leave_behind: "Leave these resources behind", "次のリソースを残す";
    as_yaml: "Show as YAML", "YAML で表示";
    spec_yaml: "The spec as YAML", "スペック (YAML)";
    spec_yaml_help: "What is written here counts only with the button below it; the fields above count with theirs.", "ここの内容は下のボタンを押したときだけ使われます。上の欄は上のボタンで使われます。";
    create_from_yaml: "Create from YAML", "YAML から作成";
    deploy_from_yaml: "Deploy from YAML", "YAML からデプロイ";

    field_required: "required", "必須";
    field_default: "default", "既定値";
    field_choose: "Choose", "選択してください";
    field_characters: "characters", "文字";
    field_items: "items", "項目";
    field_pattern: "pattern", "パターン";
    field_lines: "one on each line", "1 行に 1 つ";
    field_yaml: "YAML", "YAML";
    field_add: "Add a row", "行を追加";

    deployment_of: "Deployment of", "デプロイ:";
    deployment_of_deletion: "Deletion of", "削除:";
    active_only: "under way only", "進行中のみ";
    waits_for: "Waits for", "待機中";
    cancel_deployment: "Cancel this deployment", "このデプロイをキャンセル";
    why_failed: "Why it failed", "失敗した理由";
    ways_out: "Ways out", "解決方法";
    way_redeploy: "Deploy the same again", "同じ内容でもう一度デプロイ";
    way_edit: "Change the spec", "スペックを変更";
    way_delete: "Delete it", "削除する";
    changes: "Change set", "変更セット";
    change_what: "What happens", "変更内容";
    change_add: "is created", "作成";
    change_modify: "is changed in place", "その場で変更";
    change_replace: "is replaced by a new one", "新しいものに置換";
    change_may_replace: "is changed, perhaps replaced", "変更 (置換の可能性あり)";
    change_remove: "is deleted", "削除";
    change_import: "is taken over", "取り込み";
    change_dynamic: "is known only when it happens", "実行時に決定";
    mark_replace: "what it holds may be lost", "保持しているデータが失われる可能性";
    mark_rights: "changes who may do what", "権限の変更";
    timeline: "Timeline", "タイムライン";
    timeline_bar: "From beginning to end", "開始から終了まで";
    log_title: "Log", "ログ";
    log_pause: "Stop following", "追跡を停止";
    stream_live: "This page follows what happens.", "このページは自動的に更新されます。";
    stream_lost: "The connection is lost. It will be tried again; nothing is missed.", "接続が切れました。再接続後に続きから表示します。";

    grants_lead: "Which account may pull which ECR repository, and because of what. Nobody edits this: it follows from what is deployed.", "どのアカウントがどの ECR リポジトリをプルできるか、とその理由。デプロイの内容から自動的に決まります。";
    grants_none: "No account needs to pull anything.", "プルが必要なアカウントはありません。";
    insights_lead: "How deployments went in the last 30 days, in UTC, and which versions run.", "直近 30 日間のデプロイ (UTC) と、稼働中のバージョン。";
    insights_as_of: "As of", "現在:";
    insights_cut: "Only the latest 20,000 deployments are counted.", "最新の 20,000 件だけを集計しています。";
    insights_per_day: "Deployments per day", "日ごとのデプロイ数";
    insights_took: "Duration of deployments, per day", "日ごとのデプロイ所要時間";
    insights_day: "Day (UTC)", "日 (UTC)";
    insights_succeeded: "succeeded", "成功";
    insights_cancelled: "cancelled", "キャンセル";
    insights_median: "median", "中央値";
    insights_ninth: "90 of 100 took less", "90 パーセンタイル";
    insights_values: "Values as a table", "値を表で見る";
    insights_bar: "As a bar", "棒グラフ";
    insights_templates: "Failures by template", "テンプレート別の失敗";
    insights_ended: "ended", "終了数";
    insights_rate: "Failure rate", "失敗率";
    insights_fleet: "What runs, by template version", "テンプレートのバージョン別の稼働数";
    insights_runs: "Running", "稼働数";
    insights_behind: "Behind what is recommended", "推奨版より古いもの";
    insights_up_to_date: "up to date", "最新";
    insights_behind_minor: "a minor version behind", "マイナー更新あり";
    insights_behind_major: "a major version behind", "メジャー更新あり";
    insights_environments: "By environment", "環境別";
    insights_weekly: "Deployments per week", "週あたりのデプロイ数";
    insights_recovery: "Time to recover, median", "復旧までの時間 (中央値)";
    insights_queue: "Queue", "キュー";
    insights_ready: "waiting for an agent", "エージェント待ち";
    insights_leased: "with an agent", "実行中";
    insights_oldest: "longest wait", "最長の待ち時間";
    insights_enrolled: "enrolled", "登録済み";
    insights_connected: "Agents online", "オンラインのエージェント";
    insights_span: "Period", "期間";
    insights_span_day: "24 hours", "24 時間";
    insights_span_week: "7 days", "7 日間";
    insights_span_month: "30 days", "30 日間";
    insights_no_samples: "Nothing was recorded in this time. A hub records the queue and its agents once a minute.", "この期間の記録はありません。ハブはキューとエージェントを 1 分ごとに記録します。";

    agents_lead: "The processes that deploy in each account, with the credentials of that account.", "各アカウントで、そのアカウントの認証情報を使ってデプロイするプロセス。";
    jobs: "Jobs", "ジョブ";
    certificate_until: "certificate until", "証明書の期限";
    audit_lead: "Who did what, the last first. The whole chain is checked with: hadron-hub audit verify.", "誰が何をしたか (新しい順)。チェーン全体の検証: hadron-hub audit verify。";
    audit_csv: "Export as CSV", "CSV でエクスポート";
    audit_cloudtrail: "Export as CloudTrail records", "CloudTrail 形式でエクスポート";
    at: "When", "日時";
    action: "Action", "操作";
    object: "Object", "対象";
    outcome: "Outcome", "結果";
    source_address: "From", "送信元";
    since: "Since", "開始日";
    until: "Until", "終了日";
    hub: "Hub", "ハブ";
    access_configured: "Roles by configuration", "設定ファイルによるロール";
    access_granted: "Roles that were granted", "付与されたロール";
    access_grant: "Grant a role", "ロールを付与";
    part: "Role", "ロール";
    scope: "Scope", "範囲";
    scope_help: "hub, account:<12 digits>, environment:<name> or service:<name>", "hub、account:<12 桁>、environment:<名前>、service:<名前>";
    principal_help: "An IAM ARN, in which * stands for anything, or token:<name> or key:<name>", "IAM の ARN (* は任意の文字列)、または token:<名前>、key:<名前>";
    granted_by: "Granted by", "付与者";
    keys: "Tokens and access keys", "トークンとアクセスキー";
    keys_lead: "What lets somebody in now. One that is ended here ends at once.", "現在有効なもの。ここで無効にすると直ちに使えなくなります。";
    key_token: "token", "トークン";
    key_access: "access key", "アクセスキー";
    key_used: "Last used", "最終使用";
    key_ends: "Ends", "期限";
    key_never: "never", "無期限";
    key_end: "End", "無効にする";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_in_every_language() {
        for language in Language::ALL {
            let words = of(language);
            assert_eq!(words.lang, language.tag());
            for (key, text) in words.all() {
                assert!(
                    !text.trim().is_empty() && text.trim() == text,
                    "{language:?} {key}"
                );
            }
        }
        // What is the same in both is there on purpose.
        let same: Vec<&str> = ENGLISH
            .all()
            .into_iter()
            .zip(JAPANESE.all())
            .filter(|(english, japanese)| english.1 == japanese.1)
            .map(|(english, _)| english.0)
            .collect();
        assert_eq!(same, ["field_yaml"]);
    }

    #[test]
    fn tags_mean_languages() {
        assert_eq!(Language::of("ja-JP"), Some(Language::Japanese));
        assert_eq!(Language::of("EN"), Some(Language::English));
        assert_eq!(Language::of("de"), None);
        assert_eq!(Language::of(""), None);
    }
}
