// Journeys through the web console: a real hub, real agents and an emulated AWS, seen by a real browser as people see them.
// Each journey ends with the pages that it saw being accessible (axe: no violation). The last line that is printed is one
// JSON object with counts.
//
// Started by `cargo xtask browser`, which says by HADRON_WORLD where everything is.

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

const world = JSON.parse(readFileSync(process.env.HADRON_WORLD, "utf8"));
const PATIENCE = 60_000;
const counts = {
  journeys: 0, pages: 0, axe_violations: 0, without_javascript: 0, screenshots: 0, clicks_to_accept: 0, clicks_to_environment: 0,
};

function check(fact, what) {
  if (!fact) {
    throw new Error(what);
  }
}

/** Runs `hadron` as somebody and gives what it prints. */
function hadron(who, ...args) {
  return ran(world.hadron, args, { env: { ...world.people[who], PATH: process.env.PATH } });
}

/** Runs a program and gives what it prints. */
function ran(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, options);
    let out = "";
    let err = "";
    child.stdout.on("data", (data) => { out += data; });
    child.stderr.on("data", (data) => { err += data; });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) {
        resolve(out);
      } else {
        reject(new Error(`${program} ${args.join(" ")} ended with ${code}: ${out}${err}`));
      }
    });
  });
}

const browser = await chromium.launch({ executablePath: world.chromium, args: ["--no-sandbox"] });

/** A browser of somebody who is not signed in yet. The hub's certificate is one of its own CA. */
async function open(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, baseURL: world.api, locale: "en-US", ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(`script: ${error.message}`));
  page.on("console", (message) => {
    // What the browser says of answers with an error status is what the journey asked for, and htmx reports a stream that
    // ends with its page.
    const asked = message.text().startsWith("Failed to load resource") || message.text() === "[object Event]";
    if (message.type() === "error" && !asked) {
      page.problems.push(`console: ${message.text()}`);
    }
  });
  return page;
}

/** Signs somebody in with a link of the command line. */
async function signIn(who, options = {}) {
  const page = await open(options);
  const link = (await hadron(who, "console", "--print")).trim();
  await page.goto(link);
  await accessible(page, options);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  return page;
}

/** Looks at the page as somebody with a screen reader does. */
async function accessible(page, options = {}) {
  counts.pages += 1;
  if (options.javaScriptEnabled === false) {
    return;
  }
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
    .analyze();
  counts.axe_violations += violations.length;
  const told = violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`);
  check(violations.length === 0, `${page.url()} is not accessible: ${told.join("\n")}`);
}

async function visit(page, path, options) {
  const answer = await page.goto(path);
  check(answer.status() === 200, `${path} answers ${answer.status()}`);
  await accessible(page, options);
}

const heading = (page, name) => page.getByRole("heading", { name, level: 1 });
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** Requests a connection as the owner of an account and gives its id. */
async function requested(who, environment) {
  const account = world.accounts[who];
  const role = `arn:aws:iam::${account}:role/hadron-provisioning`;
  const args = ["connection", "request", "--environment", environment, "--management-account", world.accounts.admin];
  const components = `arn:aws:iam::${account}:role/${world.component_role}`;
  const roles = ["--role-arn", role, "--component-role-arn", components];
  return JSON.parse(await hadron(who, ...args, ...roles, "-o", "json")).id;
}

async function accept(page, id, account) {
  await page.goto(`/connections/${id}`);
  await page.getByLabel("Type the account id:").fill(account);
  await button(page, "Accept").click();
}

async function createEnvironment(page, name, fill = async () => {}) {
  await page.getByRole("radio", { name: /minimal-env/ }).check();
  await button(page, "Next").click();
  await page.getByLabel(/^Name/).fill(name);
  await fill();
  await button(page, "Create").click();
}

const pause = (time) => new Promise((done) => { setTimeout(done, time); });

/** Waits until something is so. */
async function until(what, holds) {
  const end = Date.now() + PATIENCE;
  while (!(await holds())) {
    check(Date.now() < end, `${what} does not come about`);
    await pause(50);
  }
}

/** Kills the hub and starts it again. */
async function restartHub() {
  writeFileSync(world.restart, "");
  await until("the restart of the hub", () => !existsSync(world.restart));
}

/** Counts what somebody does who has never been here: clicks, and fields that they have to fill in. */
class Hand {
  constructor() { this.deeds = 0; }

  async click(locator) {
    this.deeds += 1;
    await locator.click();
  }

  async type(locator, text) {
    this.deeds += 1;
    await locator.fill(text);
  }
}

/** A browser without JavaScript. */
const PLAIN = { javaScriptEnabled: false };

/** Signs an administrator in without JavaScript, and accepts a connection. */
async function connectedPlain(environment) {
  const page = await signIn("admin", PLAIN);
  counts.without_javascript += 1;
  const id = await requested("dev", environment);
  await accept(page, id, world.accounts.dev);
  return page;
}

const journeys = {
  async "a link of the command line signs one browser in, once"() {
    const page = await open();
    await page.goto("/environments");
    await heading(page, "Sign in to Hadron").waitFor();
    await accessible(page);
    const link = (await hadron("admin", "console", "--print")).trim();
    await page.goto(link);
    check((await page.textContent("main")).includes("platform-admin"), "the page says who is signed in");
    await button(page, "Sign in").click();
    await heading(page, "Overview").waitFor();
    await accessible(page);
    const other = await open();
    const answer = await other.goto(link);
    check(answer.status() === 401, "a link is good once");
    await accessible(other);
    await button(page, "Sign out").click();
    await heading(page, "Sign in to Hadron").waitFor();
    await page.goto("/environments");
    await heading(page, "Sign in to Hadron").waitFor();
    return [page, other];
  },

  async "an administrator accepts a connection by typing its account"() {
    const id = await requested("prod", "prd");
    const page = await signIn("admin");
    await accessible(page);
    await page.getByRole("link", { name: /^Decide/ }).first().click();
    await heading(page, /^prd/).waitFor();
    await accessible(page);
    await page.getByLabel("Type the account id:").fill("999999999999");
    await button(page, "Accept").click();
    await page.getByRole("alert").waitFor();
    check((await page.getByLabel("Type the account id:").inputValue()) === "999999999999", "what was typed is kept");
    await accessible(page);
    await page.getByLabel("Type the account id:").fill(world.accounts.prod);
    await button(page, "Accept").click();
    await page.getByRole("status").filter({ hasText: "accepted" }).waitFor();
    check(page.url().includes(id), "the page of the connection is shown");
    // The agent enrols by itself now, and the page tells it without being asked.
    await page.getByText("online", { exact: true }).waitFor();
    await accessible(page);
    return [page];
  },

  async "an environment is made by a form, and its deployment is followed to the end"() {
    const page = await signIn("admin");
    await page.goto("/connections");
    await accessible(page);
    await page.getByRole("link", { name: "prd" }).first().click();
    await page.getByRole("link", { name: "Create environment" }).click();
    await heading(page, "Create environment").waitFor();
    await accessible(page);
    await createEnvironment(page, "prd", async () => {
      await accessible(page);
      await page.getByLabel("retention_days").evaluate((field) => { field.removeAttribute("max"); });
      await page.getByLabel("retention_days").fill("4000");
    });
    const wrong = page.locator("[aria-invalid=true]");
    await wrong.waitFor();
    check((await wrong.inputValue()) === "4000", "what was written is kept");
    await accessible(page);
    await page.getByLabel("retention_days").fill("7");
    await page.getByLabel("tier").selectOption("production");
    await button(page, "Show as YAML").click();
    check((await page.getByLabel("Spec", { exact: true }).inputValue()).includes("tier: production"), "the spec as YAML");
    await button(page, "Create").click();
    await heading(page, "Deployment of environment prd").waitFor();
    await accessible(page);
    // Nobody reloads anything from here on.
    await page.locator("#live .badge").filter({ hasText: "SUCCEEDED" }).first().waitFor();
    await page.locator("#live table.gantt tbody tr").first().waitFor();
    check((await page.locator("#log li").count()) > 2, "the log has lines");
    const numbers = await page.locator("#log li").evaluateAll((lines) => lines.map((line) => line.id));
    check(new Set(numbers).size === numbers.length, "no line came twice");
    await accessible(page);
    await page.getByRole("link", { name: "prd", exact: true }).click();
    await heading(page, "prd").waitFor();
    await accessible(page);
    return [page];
  },

  async "somebody who has never been here gets from the overview to a deployed environment"() {
    const id = await requested("prod", "first");
    const page = await signIn("admin");
    const hand = new Hand();
    const waiting = page.locator(".tasks li").filter({ hasText: "first" });
    await hand.click(waiting.getByRole("link", { name: /^Decide/ }));
    await hand.type(page.getByLabel("Type the account id:"), world.accounts.prod);
    await hand.click(button(page, "Accept"));
    await page.getByRole("status").filter({ hasText: "accepted" }).waitFor();
    check(page.url().includes(id), "the page of the connection is shown");
    counts.clicks_to_accept = hand.deeds;
    check(hand.deeds <= 6, `${hand.deeds} clicks and fields to an accepted connection`);

    // And from the overview again, as if that had been yesterday.
    await page.goto("/");
    hand.deeds = 0;
    await hand.click(page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Connections" }));
    await hand.click(page.getByRole("link", { name: "first", exact: true }));
    await hand.click(page.getByRole("link", { name: "Create environment" }));
    await hand.click(page.getByRole("radio", { name: /minimal-env/ }));
    await hand.click(button(page, "Next"));
    check((await page.getByLabel(/^Name/).inputValue()) === "first", "the name is that of the connection");
    await hand.click(button(page, "Create"));
    await heading(page, "Deployment of environment first").waitFor();
    await page.locator("#live .badge").filter({ hasText: "SUCCEEDED" }).first().waitFor();
    counts.clicks_to_environment = hand.deeds;
    check(hand.deeds <= 8, `${hand.deeds} clicks and fields to a deployed environment`);
    return [page];
  },

  async "the hub is killed in the middle of a deployment, and its page ends up right"() {
    const page = await signIn("admin");
    await page.goto("/environments/prd/edit");
    await page.getByLabel("retention_days").fill("11");
    await button(page, "Deploy").click();
    await heading(page, "Deployment of environment prd").waitFor();
    const id = new URL(page.url()).pathname.split("/").pop();
    await page.locator("#stream-state.live").waitFor();
    await page.locator("#log li").first().waitFor();
    const before = await page.locator("#live .badge").first().textContent();
    check(before.includes("PROGRESS"), `the deployment is ${before} before the hub is killed`);
    const mark = await page.evaluate(() => { window.neverLoadedAgain = true; return window.neverLoadedAgain; });
    check(mark, "the page is marked");
    await restartHub();
    await page.locator("#live .badge").filter({ hasText: "SUCCEEDED" }).first().waitFor();
    check(await page.evaluate(() => window.neverLoadedAgain === true), "the page was not loaded again");
    const lines = () => page.locator("#log li").evaluateAll((found) => found.map((line) => line.textContent));
    const open = await lines();
    const numbers = await page.locator("#log li").evaluateAll((found) => found.map((line) => line.id));
    check(new Set(numbers).size === numbers.length, `no line came twice: ${numbers}`);
    // What somebody sees who opens the page now.
    await page.goto(`/deployments/${id}`);
    const fresh = await lines();
    check(JSON.stringify(open) === JSON.stringify(fresh), `nothing is missing: ${open.join("|")} instead of ${fresh.join("|")}`);
    // What CloudFormation was given, and what was different from the time before.
    await page.getByRole("link", { name: "Rendered template" }).click();
    await page.locator(".diff .new").filter({ hasText: "11" }).first().waitFor();
    check((await page.locator("pre").last().textContent()).includes("AWSTemplateFormatVersion"), "the whole of it is there");
    await accessible(page);
    return [page];
  },

  async "somebody signs in at an issuer, and is told why not"() {
    const page = await open();
    await page.goto("/environments");
    await page.getByRole("link", { name: "Sign in with corp" }).waitFor();
    await accessible(page);
    await page.getByRole("link", { name: "Sign in with corp" }).click();
    await page.getByRole("alert").filter({ hasText: "oidc:corp:ann has no role" }).waitFor();
    await accessible(page);
    await hadron("admin", "access", "grant", "oidc-group:corp:platform", "--role", "auditor", "--scope", "hub");
    await page.getByRole("link", { name: "Sign in with corp" }).click();
    // Where they wanted to go at first.
    await heading(page, "Environments").waitFor();
    check((await page.locator("header").textContent()).includes("oidc:corp:ann"), "the page says who is signed in");
    await accessible(page);
    await hadron("admin", "access", "revoke", "oidc-group:corp:platform", "--role", "auditor", "--scope", "hub");
    const answer = await page.goto("/environments");
    check(answer.status() === 403, "who has no right any more sees nothing any more");
    return [page];
  },

  async "a deployment that waits is cancelled"() {
    const id = await requested("dev", "dev");
    const page = await signIn("admin");
    await accept(page, id, world.accounts.dev);
    await page.goto(`/environments/new?connection=${id}`);
    await createEnvironment(page, "dev");
    await heading(page, "Deployment of environment dev").waitFor();
    await button(page, "Cancel this deployment").click();
    await page.locator("#live .badge").filter({ hasText: "CANCELLED" }).waitFor();
    await accessible(page);
    return [page];
  },

  async "a connection is accepted without JavaScript"() {
    const page = await connectedPlain("plain-connection");
    check((await page.textContent("main")).includes("CONNECTED"), "the connection is accepted");
    return [page];
  },

  async "an environment is created without JavaScript"() {
    const page = await connectedPlain("plain-environment");
    await page.getByRole("link", { name: "Create environment" }).click();
    await createEnvironment(page, "plain-environment");
    await heading(page, "Deployment of environment plain-environment").waitFor();
    check((await page.textContent("main")).includes("UTC"), "times are in UTC");
    // Nothing comes by itself: whoever wants to know looks again.
    await page.reload();
    check((await page.locator("#live .badge").filter({ hasText: "IN_PROGRESS" }).count()) > 0, "the deployment is under way");
    await visit(page, "/environments/plain-environment", PLAIN);
    check((await page.textContent("main")).includes("minimal-env"), "the environment is there");
    return [page];
  },

  async "a deployment is cancelled, and every page is there, without JavaScript"() {
    const page = await connectedPlain("plain-cancel");
    await page.getByRole("link", { name: "Create environment" }).click();
    await createEnvironment(page, "plain-cancel");
    await button(page, "Cancel this deployment").click();
    check(/CANCELL(ING|ED)/.test(await page.textContent("main")), "the deployment is cancelled");
    for (const path of ["/", "/connections", "/catalog", "/environments", "/services", "/components", "/deployments", "/grants", "/agents", "/insights", "/audit", "/settings"]) {
      await visit(page, path, PLAIN);
    }
    return [page];
  },

  async "a service is made, and its parts are looked at"() {
    const page = await signIn("admin");
    await visit(page, "/services");
    await page.getByRole("link", { name: "Create service" }).click();
    await page.getByRole("radio", { name: /minimal-svc-no-pipeline/ }).check();
    await accessible(page);
    await button(page, "Next").click();
    await page.getByLabel(/^Name/).first().fill("web");
    const instance = page.getByRole("group", { name: "Instance 1" });
    await instance.getByLabel("Name", { exact: true }).fill("blue");
    await instance.getByLabel("Environment", { exact: true }).selectOption("prd");
    await accessible(page);
    await button(page, "Create").click();
    await heading(page, "web").waitFor();
    await page.locator("#live .badge").filter({ hasText: "ACTIVE" }).waitFor();
    await accessible(page);
    await page.getByRole("link", { name: "web/blue" }).click();
    await heading(page, "web/blue").waitFor();
    await accessible(page);
    await page.getByRole("link", { name: "Change" }).click();
    await accessible(page);
    await button(page, "Deploy").click();
    await heading(page, "Deployment of instance web/blue").waitFor();
    await page.locator("#live .badge").filter({ hasText: "SUCCEEDED" }).first().waitFor();
    await accessible(page);
    return [page];
  },

  async "templates say what they ask for and who runs them"() {
    const page = await signIn("admin");
    await visit(page, "/catalog");
    await page.getByRole("link", { name: "minimal-env" }).click();
    await accessible(page);
    await page.getByRole("link", { name: "1.0" }).click();
    await heading(page, "minimal-env:1.0").waitFor();
    check((await page.textContent("main")).includes("retention_days"), "inputs are listed");
    check((await page.getByRole("link", { name: "prd" }).count()) > 0, "who runs it is listed");
    await accessible(page);
    return [page];
  },

  async "a version has a README, and differs from the one before it"() {
    const bundle = `${world.folder}/minimal-env-1.1`;
    cpSync(`${world.examples}/minimal-env/v1`, bundle, { recursive: true });
    writeFileSync(`${bundle}/README.md`, "# A shared topic\n\nAsk *platform* in [the wiki](https://wiki.example.com/).\n\n| input | meaning |\n|---|---|\n| tier | how big |\n");
    const schema = readFileSync(`${bundle}/schema/schema.yaml`, "utf8");
    writeFileSync(`${bundle}/schema/schema.yaml`, schema.replace("maximum: 365", "maximum: 400"));
    await hadron("admin", "template", "create", "minimal-env", bundle, "--kind", "environment", "--major", "1");
    const page = await signIn("admin");
    await visit(page, "/catalog/environment/minimal-env");
    await page.getByRole("link", { name: "Differences 1.1" }).click();
    await heading(page, "minimal-env:1.1").waitFor();
    const shown = await page.textContent("main");
    check(shown.includes("retention_days") && shown.includes("README.md"), "inputs and files are told");
    await accessible(page);
    await page.getByRole("link", { name: "Version", exact: true }).click();
    await page.getByRole("link", { name: "README" }).click();
    await page.getByRole("heading", { name: "A shared topic" }).waitFor();
    await accessible(page);
    return [page];
  },

  async "a bundle is registered, told what is wrong with it, and published"() {
    const pack = async (name, spoil) => {
      const folder = `${world.folder}/${name}`;
      cpSync(`${world.examples}/minimal-env/v1`, folder, { recursive: true });
      if (spoil) {
        writeFileSync(`${folder}/infrastructure/manifest.yaml`, "infrastructure: {}\n");
      }
      const archive = `${folder}.tar.gz`;
      await ran("tar", ["-C", folder, "-czf", archive, "."]);
      return archive;
    };
    const [broken, good] = [await pack("broken", true), await pack("good", false)];
    const page = await signIn("admin");
    await visit(page, "/catalog");
    await page.getByRole("link", { name: "Register a template" }).click();
    await heading(page, "Register a template").waitFor();
    await accessible(page);
    await page.getByLabel(/^Name/).fill("shared");
    await page.getByLabel("Description").fill("A shared topic");
    await page.getByLabel(/^Bundle/).setInputFiles(broken);
    await button(page, "Register").click();
    await page.getByRole("alert").filter({ hasText: "manifest.yaml" }).waitFor();
    check((await page.getByLabel(/^Name/).inputValue()) === "shared", "what was written is kept");
    await accessible(page);
    await page.getByLabel(/^Bundle/).setInputFiles(good);
    await button(page, "Register").click();
    await heading(page, "shared:1.0").waitFor();
    await accessible(page);
    await button(page, "Publish").click();
    await page.getByRole("status").filter({ hasText: "published" }).waitFor();
    await visit(page, "/catalog/environment/shared");
    await page.getByRole("link", { name: "Register a version" }).click();
    await accessible(page);
    return [page];
  },

  async "a component is made and changed from its files"() {
    const page = await signIn("admin");
    await visit(page, "/components");
    await page.getByRole("link", { name: "Create component" }).click();
    await heading(page, "Create component").waitFor();
    await accessible(page);
    const template = (name) => `Resources:\n  ${name}:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Type: String\n      Name: /console/${name}\n      Value: "{{ component.name }}"\n`;
    await page.getByLabel(/^Name/).fill("side");
    await page.getByLabel("Environment", { exact: true }).selectOption("prd");
    await page.getByLabel(/^Template file/).fill("Resources: [");
    await button(page, "Create").click();
    await page.getByRole("alert").waitFor();
    check((await page.getByLabel(/^Template file/).inputValue()).startsWith("Resources: ["), "what was written is kept");
    await accessible(page);
    await page.getByLabel(/^Template file/).fill(template("One"));
    await button(page, "Create").click();
    await heading(page, "Deployment of component side").waitFor();
    await page.locator("#live .badge").filter({ hasText: "SUCCEEDED" }).first().waitFor();
    await visit(page, "/components/side");
    await page.getByRole("link", { name: "Change" }).click();
    await accessible(page);
    const file = `${world.folder}/component.yaml`;
    writeFileSync(file, template("Two"));
    await page.getByLabel("Or a file for: Template file").setInputFiles(file);
    await button(page, "Deploy").click();
    await heading(page, "Deployment of component side").waitFor();
    await page.locator("#live .badge").filter({ hasText: "SUCCEEDED" }).first().waitFor();
    await visit(page, "/components/side");
    check((await page.textContent("main")).includes("/console/Two"), "the file is its template now");
    return [page];
  },

  async "the audit log is exported as it is filtered"() {
    const page = await signIn("admin");
    await page.goto("/audit?action=AcceptConnection");
    for (const [name, parts] of [["Export as CSV", ["sequence,", "AcceptConnection"]], ["Export as CloudTrail records", ["\"eventName\":\"AcceptConnection\""]]]) {
      const coming = page.waitForEvent("download");
      await page.getByRole("link", { name }).click();
      const text = readFileSync(await (await coming).path(), "utf8");
      check(parts.every((part) => text.includes(part)) && !text.includes("SignIn"), `${name}: ${text.slice(0, 200)}`);
    }
    await page.goto("/audit?action=ExportAudit");
    check((await page.getByRole("row").count()) > 2, "both are in the log");
    return [page];
  },

  async "what was done is in the audit log, and agents and grants are there"() {
    const page = await signIn("admin");
    await visit(page, "/audit");
    await page.getByLabel("Action").fill("AcceptConnection");
    await button(page, "Show").click();
    check((await page.getByRole("row").count()) > 1, "the acceptance is in the log");
    await accessible(page);
    await visit(page, "/agents");
    check((await page.textContent("main")).includes(world.accounts.prod), "the agent is there");
    await visit(page, "/grants");
    await visit(page, "/components");
    await visit(page, "/deployments?kind=environment");
    return [page];
  },

  async "how it goes is plotted, and every plot is a table, too"() {
    const page = await signIn("admin");
    await visit(page, "/insights");
    const plot = page.getByRole("img", { name: "Deployments per day" });
    check((await plot.locator("rect").count()) > 0, "today's deployments are a bar");
    await page.locator("main details summary").first().click();
    check((await page.getByRole("table", { name: "Deployments per day" }).getByRole("row").count()) > 1, "and a row");
    const fleet = page.getByRole("table", { name: "What runs, by template version" });
    check((await fleet.textContent()).includes("up to date"), "what runs is up to date");
    await page.getByRole("link", { name: "7 days" }).click();
    await page.getByRole("link", { name: "7 days" }).and(page.locator("[aria-current]")).waitFor();
    await page.locator("main details summary").last().click();
    await accessible(page);
    return [page];
  },

  async "a role is granted and taken away"() {
    const page = await signIn("admin");
    await visit(page, "/settings");
    await page.getByLabel("Principal").fill("token:somebody");
    await page.getByLabel("Role", { exact: true }).selectOption("auditor");
    await button(page, "Grant a role").click();
    await page.getByRole("cell", { name: "auditor" }).or(page.getByText("token:somebody")).first().waitFor();
    await accessible(page);
    await page.getByRole("button", { name: /Revoke/ }).click();
    await page.getByRole("status").filter({ hasText: "Saved" }).waitFor();
    check(!(await page.textContent("main")).includes("token:somebody"), "the role is gone");
    return [page];
  },

  async "an owner sees their own account and nothing else"() {
    const page = await signIn("prod");
    await visit(page, "/environments");
    const shown = await page.textContent("main");
    check(shown.includes("prd") && !shown.includes("plain"), "only what is their own");
    check((await page.getByRole("navigation", { name: "Pages" }).textContent()).includes("Audit") === false, "no audit log");
    const answer = await page.goto("/audit");
    check(answer.status() === 403, "nor by its address");
    await accessible(page);
    return [page];
  },

  async "pages speak Japanese, in the reader's zone"() {
    const page = await signIn("admin", { timezoneId: "Asia/Tokyo" });
    await visit(page, "/deployments");
    const time = page.locator("#live time").first();
    check(/GMT\+9|JST/.test(await time.textContent()), "times are in the reader's zone");
    check((await time.getAttribute("title")).endsWith("UTC"), "and in UTC when pointed at");
    await button(page, "日本語").click();
    await heading(page, "デプロイ").waitFor();
    check((await page.locator("html").getAttribute("lang")) === "ja", "the page says its language");
    await accessible(page);
    await visit(page, "/environments/new?template=minimal-env");
    await button(page, "English").click();
    return [page];
  },

  async "the keyboard is enough"() {
    const page = await signIn("admin");
    await page.goto("/environments");
    await page.keyboard.press("Tab");
    check((await page.evaluate(() => document.activeElement.textContent)) === "Skip to the content", "the first stop");
    await page.keyboard.press("Enter");
    check((await page.evaluate(() => document.activeElement.id)) === "main", "leads into the page");
    await page.keyboard.press("Tab");
    check((await page.evaluate(() => document.activeElement.textContent)) === "Create environment", "and on to what it has");
    await page.keyboard.press("Enter");
    await heading(page, "Create environment").waitFor();
    return [page];
  },

  async "a connection that broke misses nothing"() {
    const page = await signIn("admin");
    await page.goto("/environments");
    await page.locator("#stream-state.live").waitFor();
    await page.context().setOffline(true);
    await page.evaluate(() => window.dispatchEvent(new Event("offline")));
    await hadron("admin", "environment", "update", "prd", "--redeploy", "--wait");
    await hadron("admin", "environment", "update", "prd", "--description", "changed while nobody looked");
    await page.context().setOffline(false);
    await page.goto("/environments/prd");
    check((await page.textContent("main")).includes("changed while nobody looked"), "the page has it");
    // And a page that stays open hears of what comes next.
    await hadron("admin", "environment", "update", "prd", "--description", "changed while somebody looked");
    await page.getByText("changed while somebody looked").waitFor();
    return [page];
  },
};

/** Pictures of pages, for those who want to see the console before they have one. */
async function pictures(folder) {
  mkdirSync(folder, { recursive: true });
  const listed = async (...words) => JSON.parse(await hadron("admin", ...words, "-o", "json")).items.map((one) => one.id);
  // The first one has a change set and a timeline, the second one differs from it.
  const deployments = await listed("deployment", "list", "--environment", "prd");
  const deployment = deployments.at(-1);
  const [connection] = await listed("connection", "list");
  const wide = { width: 1280, height: 900 };
  const narrow = { width: 390, height: 844 };
  const shots = [
    ["overview", "/"], ["connections", "/connections"], ["environments", "/environments"], ["environment", "/environments/prd"],
    ["environment-form", "/environments/new?template=minimal-env"], ["templates", "/catalog"], ["template", "/catalog/environment/minimal-env"],
    ["catalog", "/catalog/environment/minimal-env/1.0"], ["readme", "/catalog/environment/minimal-env/1.1/readme"],
    ["differences", "/catalog/environment/minimal-env/1.1/changes"], ["register", "/catalog/new"], ["component", "/components/side"],
    ["components", "/components"], ["component-form", "/components/new"], ["component-edit", "/components/side/edit"],
    ["environment-choose", "/environments/new"], ["environment-edit", "/environments/prd/edit"], ["environment-delete", "/environments/prd/delete"],
    ["services", "/services"], ["service", "/services/web"], ["service-form", "/services/new?template=minimal-svc"],
    ["instance", "/services/web/instances/blue"],
    ["instance-edit", "/services/web/instances/blue/edit"], ["service-edit", "/services/web/edit"], ["service-delete", "/services/web/delete"], ["register-version", "/catalog/environment/minimal-env/new"],
    ["deployments", "/deployments"], ["insights", "/insights"], ["agents", "/agents"], ["audit", "/audit"], ["grants", "/grants"], ["settings", "/settings"],
    ["nowhere", "/nowhere"],
  ];
  if (deployment) {
    shots.push(["deployment", `/deployments/${deployment}`], ["deployment-template", `/deployments/${deployments.at(-2)}/template`]);
  }
  if (connection) {
    shots.push(["connection", `/connections/${connection}`]);
  }
  const looks = [
    ["light", { viewport: wide, colorScheme: "light" }, "en"], ["dark", { viewport: wide, colorScheme: "dark" }, "en"],
    ["narrow", { viewport: narrow, colorScheme: "light" }, "en"], ["narrow-dark-ja", { viewport: narrow, colorScheme: "dark" }, "ja"],
    ["ja", { viewport: wide, colorScheme: "light" }, "ja"],
  ];
  for (const [look, options, language] of looks) {
    const page = await signIn("admin", options);
    if (language === "ja") {
      await button(page, "日本語").click();
    }
    for (const [name, path] of shots) {
      await page.goto(path);
      await page.waitForTimeout(300);
      await page.screenshot({ path: `${folder}/${name}-${look}.png` });
      counts.screenshots += 1;
    }
    await button(page, language === "ja" ? "サインアウト" : "Sign out").click();
    await page.screenshot({ path: `${folder}/sign-in-${look}.png` });
    counts.screenshots += 1;
    await page.context().close();
  }
}

const only = process.env.HADRON_JOURNEY;
let failed = 0;
for (const [name, journey] of Object.entries(journeys)) {
  if (only && !name.includes(only)) {
    continue;
  }
  const began = Date.now();
  try {
    const pages = await journey();
    for (const page of pages) {
      check(page.problems.length === 0, `${page.url()}: ${page.problems.join("; ")}`);
      await page.context().close();
    }
    counts.journeys += 1;
    console.error(`ok    ${name} (${Date.now() - began} ms)`);
  } catch (error) {
    failed += 1;
    console.error(`WRONG ${name}: ${error.stack ?? error}`);
    if (world.failures) {
      mkdirSync(world.failures, { recursive: true });
      for (const context of browser.contexts()) {
        for (const page of context.pages()) {
          const at = `${world.failures}/${failed}-${Date.now()}`;
          await page.screenshot({ path: `${at}.png`, fullPage: true }).catch(() => {});
        }
      }
    }
    for (const context of browser.contexts()) {
      await context.close();
    }
  }
}
if (world.pictures && failed === 0) {
  await pictures(world.pictures);
}
await browser.close();
console.log(JSON.stringify({ console_journeys: { ...counts, failed } }));
process.exit(failed === 0 ? 0 : 1);
