// The AWS SDK for JavaScript, unmodified, against a hub: credentials by profile, errors by class, a paginator, waiters.
// The SDK is installed elsewhere (HADRON_NODE_HOME), so that the checkout stays as it is.

import assert from "node:assert/strict";
import { readFileSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";

const require = createRequire(`${process.env.HADRON_NODE_HOME}/`);
const sdk = require("@aws-sdk/client-proton");
const { fromIni, fromProcess } = require("@aws-sdk/credential-providers");
const world = JSON.parse(readFileSync(process.env.HADRON_PROTON_WORLD));

const seen = { operations: {}, paginators: [], waiters: {} };
const of = (operation) => (seen.operations[operation] ??= { success: [], errors: [] });
const note = (list, what) => { if (!list.includes(what)) list.push(what); };

/** A client whose calls are written down. */
function client(config) {
  const made = new sdk.ProtonClient({ maxAttempts: 4, region: world.region, ...config });
  made.middlewareStack.add((next, context) => async (args) => {
    const operation = context.commandName.replace(/Command$/, "");
    try {
      const answer = await next(args);
      note(of(operation).success, "js");
      return answer;
    } catch (error) {
      note(of(operation).errors, error.name);
      throw error;
    }
  }, { step: "initialize", name: "record" });
  return made;
}

const management = client({ credentials: fromProcess({ profile: "management" }) });
const dev = client({ credentials: fromIni({ profile: "dev" }) });
const send = (who, name, input = {}) => who.send(new sdk[`${name}Command`](input));
const patience = (who) => ({ client: who, maxWaitTime: 60, minDelay: 0.1, maxDelay: 0.2 });
const role = (account) => `arn:aws:iam::${account}:role/hadron-provisioning`;

async function tells(kind, promise) {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof kind, `${error.name}: ${error.message}, and not ${kind.name}`);
    assert(error instanceof sdk.ProtonServiceException);
    assert(error.message.length > 0);
    assert(error.$metadata.requestId, "an error has a request id");
    return error;
  }
  assert.fail(`${kind.name} was expected`);
}

const checks = {
  async "a template is made, shown and taken away"() {
    const { environmentTemplate: made } = await send(management, "CreateEnvironmentTemplate", {
      name: "js", displayName: "From JavaScript", tags: [{ key: "client", value: "js" }],
    });
    assert(made.createdAt instanceof Date && Math.abs(Date.now() - made.createdAt.getTime()) < 3_600_000);
    assert.equal(made.arn, `arn:aws:proton:${world.region}:${world.management}:environment-template/js`);
    const { environmentTemplate: shown } = await send(management, "GetEnvironmentTemplate", { name: "js" });
    assert.deepEqual(shown, made);
    const { tags } = await send(management, "ListTagsForResource", { resourceArn: made.arn });
    assert(tags.some((tag) => tag.key === "client" && tag.value === "js"));
    await send(management, "UpdateEnvironmentTemplate", { name: "js", description: "Described" });
    await send(management, "DeleteEnvironmentTemplate", { name: "js" });
  },

  async "errors are of their classes"() {
    await tells(sdk.ResourceNotFoundException, send(management, "GetEnvironment", { name: "nothing" }));
    await tells(sdk.ValidationException, send(management, "GetEnvironment", { name: "a b" }));
    await tells(sdk.AccessDeniedException, send(dev, "CreateEnvironmentTemplate", { name: "not-mine" }));
    await send(management, "CreateServiceTemplate", { name: "taken", description: "one" });
    await tells(sdk.ConflictException, send(management, "CreateServiceTemplate", { name: "taken", description: "two" }));
    await send(management, "DeleteServiceTemplate", { name: "taken" });
  },

  async "a paginator brings everything, page by page"() {
    const names = ["page-a", "page-b", "page-c"];
    for (const name of names) await send(management, "CreateServiceTemplate", { name });
    const found = [];
    let pages = 0;
    for await (const page of sdk.paginateListServiceTemplates({ client: management, pageSize: 1 }, {})) {
      found.push(...page.templates.map((each) => each.name));
      pages += 1;
    }
    assert(pages >= 3);
    assert.deepEqual(names.filter((name) => !found.includes(name)), []);
    assert.equal(new Set(found).size, found.length);
    for (const name of names) await send(management, "DeleteServiceTemplate", { name });
  },

  async "a connection goes from one account to the other"() {
    const { environmentAccountConnection: asked } = await send(dev, "CreateEnvironmentAccountConnection", {
      environmentName: "js", managementAccountId: world.management, roleArn: role(world.dev),
    });
    assert.equal(asked.status, "PENDING");
    const { environmentAccountConnection: answered } = await send(management, "AcceptEnvironmentAccountConnection", {
      id: asked.id,
    });
    assert.equal(answered.status, "CONNECTED");
    const { environmentAccountConnections: listed } = await send(dev, "ListEnvironmentAccountConnections", {
      requestedBy: "ENVIRONMENT_ACCOUNT",
    });
    assert.deepEqual(listed.map((each) => each.id), [asked.id]);
    await send(management, "RejectEnvironmentAccountConnection", { id: asked.id });
  },

  async "a waiter ends with failure when registration fails"() {
    await send(management, "CreateEnvironmentTemplate", { name: "broken" });
    const which = { templateName: "broken", majorVersion: "1", minorVersion: "0" };
    await send(management, "CreateEnvironmentTemplateVersion", {
      templateName: "broken", source: { s3: { bucket: "no-such-bucket", key: "nothing.tar.gz" } },
    });
    await assert.rejects(sdk.waitUntilEnvironmentTemplateVersionRegistered(patience(management), which), (error) => {
      assert.match(error.message, /REGISTRATION_FAILED|FAILURE/);
      return true;
    });
    await send(management, "DeleteEnvironmentTemplateVersion", which);
    await send(management, "DeleteEnvironmentTemplate", { name: "broken" });
  },

  async "a waiter for what is gone ends with success"() {
    const ended = await sdk.waitUntilServiceDeleted(patience(management), { name: "never-there" });
    assert.equal(ended.state, "SUCCESS");
  },

  async "settings and the summary"() {
    const { accountSettings } = await send(management, "UpdateAccountSettings", {
      pipelineServiceRoleArn: role(world.management),
    });
    assert.equal(accountSettings.pipelineServiceRoleArn, role(world.management));
    const { counts } = await send(management, "GetResourcesSummary");
    assert.equal(typeof counts.services?.total ?? 0, "number");
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}
for (const each of Object.values(seen.operations)) {
  each.success.sort();
  each.errors.sort();
}
const record = process.env.HADRON_PROTON_RECORD;
mkdirSync(dirname(record), { recursive: true });
writeFileSync(record, JSON.stringify(seen, null, 1));
process.exit(failed ? 1 : 0);
