// The console as people use it: the real binary, a real browser, a fresh state folder.
//
//   npm ci && npm test            (BARTIZAN_BIN names the binary, CHROMIUM the browser, where they are elsewhere)

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const BINARY = process.env.BARTIZAN_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/bartizan");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PASSWORD = "correct horse battery staple";
const ATTACK = "<script>window.hurt = true</script><img src=x onerror=hurt=1>";
const SECONDS = 1000;

let browser;
let house;
let session;

/** Starts the daemon in a fresh folder; `stop` ends it and removes the folder. */
async function start(enforce = true, settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), "bartizan-console-"));
  const state = join(folder, "state");
  const env = { ...process.env, XDG_STATE_HOME: join(folder, "xdg"), ...settings };
  const words = ["up", "--format", "json", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--state", state, ...(enforce ? ["--enforce"] : [])];
  const child = spawn(BINARY, words, { env, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  const announced = await new Promise((good, bad) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      if (text.includes("\n")) good(JSON.parse(text.slice(0, text.indexOf("\n"))));
    });
    child.on("error", bad);
    child.on("exit", (code) => bad(new Error(`bartizan up ended with ${code}: ${log}`)));
  });
  const url = (address) => (address.startsWith("http") ? address : `http://${address}`);
  const stop = async () => {
    const ended = new Promise((good) => child.once("exit", good));
    child.kill("SIGTERM");
    const impatient = setTimeout(() => child.kill("SIGKILL"), 10 * SECONDS);
    await ended;
    clearTimeout(impatient);
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...announced, endpoint: url(announced.endpoint), console: url(announced.console), state, env, folder, stop };
}

/** Runs the binary to its end. */
function run(...words) {
  return new Promise((good, bad) => {
    const child = spawn(BINARY, words, { env: house.env });
    let text = "";
    child.stdout.on("data", (data) => (text += data));
    child.stderr.on("data", (data) => (text += data));
    child.on("error", bad);
    child.on("exit", (code) => good({ code, text }));
  });
}

/** A context of its own: nothing of another test's session is in it. */
async function visit(options = {}) {
  const context = await browser.newContext({ baseURL: house.console, ...options });
  context.setDefaultTimeout(10 * SECONDS);
  return context;
}

/** A page that is logged in as the administrator. */
async function admin(options = {}) {
  const context = await visit({ storageState: session, ...options });
  return context.newPage();
}

async function logIn(page, name, password) {
  await page.goto("/login");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

async function setPassword(page, password) {
  await page.getByRole("textbox", { name: "New password", exact: true }).fill(password);
  await page.getByLabel("New password, once more").fill(password);
  await page.getByRole("button", { name: "Set password" }).click();
}

/** Presses Tab until the wanted control has the focus: what a keyboard can't reach is not there. */
async function reach(page, selector) {
  for (let steps = 0; steps < 100; steps += 1) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`${selector} can't be reached with the Tab key`);
}

/** A drill with a stolen key; what it does is what a thief's traffic would do. */
const drill = () => run("incident", "--state", house.state, "drill", "stolen-key");

/** Adds a principal who may log in, and returns the one-time password. */
async function addPerson(page, name, role) {
  await page.goto("/access");
  const form = page.locator('form[action="/access/principals"]');
  await form.getByLabel("Name").fill(name);
  await form.getByLabel(role, { exact: true }).check();
  await form.getByLabel("may log in here").check();
  await form.getByRole("button", { name: "Add" }).click();
  return page.getByLabel("One-time password for the console").inputValue();
}

const status = async (key) =>
  (await fetch(`${house.endpoint}/v2/models/${house.model}`, { headers: { authorization: `Bearer ${key}` } })).status;

before(async () => {
  assert.ok(existsSync(BINARY), `${BINARY} is not there: build it with \`cargo build\`, or name it in BARTIZAN_BIN`);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  house = await start();
});

after(async () => {
  await browser?.close();
  await house?.stop();
});

test("the_one_time_password_opens_nothing_but_the_page_that_replaces_it", async () => {
  const context = await visit();
  const page = await context.newPage();
  await page.goto("/overview");
  assert.match(page.url(), /\/login$/, "nobody sees the overview who is not logged in");
  await logIn(page, "admin", house.password);
  assert.match(page.url(), /\/password$/);
  await page.goto("/incidents");
  assert.match(page.url(), /\/password$/, "no page opens before the password is changed");
  assert.equal((await context.request.get("/api/v1/principals")).status(), 401, "nor does the API");
  await setPassword(page, house.password);
  await page.getByRole("alert").getByText("must differ").waitFor();
  await setPassword(page, "too short");
  assert.match(page.url(), /\/password$/);
  await setPassword(page, PASSWORD);
  await page.waitForURL("**/overview");
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  session = await context.storageState();
  const fresh = await (await visit()).newPage();
  await logIn(fresh, "admin", house.password);
  await fresh.getByRole("alert").getByText("do not belong together").waitFor();
});

test("guessing_a_password_is_refused_slowed_down_and_recorded_without_the_name", async () => {
  const page = await (await visit()).newPage();
  for (let guess = 0; guess < 5; guess += 1) {
    await logIn(page, "nobody-secret-word", `guess ${guess}`);
    await page.getByRole("alert").getByText("do not belong together").waitFor();
  }
  await logIn(page, "nobody-secret-word", "guess");
  await page.getByRole("alert").getByText("Wait 30 seconds").waitFor();
  const reader = await admin();
  await reader.goto("/ledger");
  assert.ok((await reader.getByText("admin.login-refused").count()) >= 5);
  assert.ok(!(await reader.content()).includes("nobody-secret-word"), "what was typed as a name is not kept");
});

test("an_incident_appears_live_and_can_be_released_and_closed_with_the_keyboard_alone", async () => {
  const page = await admin();
  await page.goto("/incidents");
  await page.getByText("Live", { exact: true }).waitFor();
  await page.evaluate(() => (window.notReloaded = true));
  const link = page.locator("#incidents table a").first();
  const [drilled] = await Promise.all([drill(), link.waitFor({ timeout: 60 * SECONDS })]);
  assert.equal(drilled.code, 0, drilled.text);
  assert.equal(await page.evaluate(() => window.notReloaded), true, "the page was not loaded anew");
  await reach(page, '#incidents a[href^="/incidents/"]');
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Timeline" }).waitFor();
  const state = page.locator("#facts .tag").nth(1);
  assert.match(await state.textContent(), /contained/);
  await reach(page, "#release");
  await page.keyboard.press("Enter");
  await page.locator("#facts .tag", { hasText: "released" }).waitFor();
  await reach(page, "#note");
  await page.keyboard.type(`It was a drill ${ATTACK}`);
  await reach(page, "#close");
  await page.keyboard.press("Enter");
  await page.locator("#facts .tag", { hasText: "closed" }).waitFor();
  await page.locator(".timeline").getByText("It was a drill").waitFor();
  assert.equal(await page.evaluate(() => window.hurt), undefined, "a note is shown as text");
  assert.equal(await page.locator(".timeline script, .timeline img").count(), 0);
});

test("a_person_contains_what_a_playbook_in_shadow_only_proposes", async () => {
  const settings = { BARTIZAN_RESPOND__MODE: "shadow", BARTIZAN_RESPOND__DRILLS: "as-configured" };
  const shadow = await start(false, settings);
  try {
    const context = await browser.newContext({ baseURL: shadow.console });
    const page = await context.newPage();
    await logIn(page, "admin", shadow.password);
    await setPassword(page, PASSWORD);
    await page.waitForURL("**/overview");
    await page.getByText("Playbooks are in shadow").waitFor();
    await run("incident", "--state", shadow.state, "drill", "stolen-key");
    await page.goto("/incidents");
    await page.locator("tr", { hasText: "shadowed" }).locator("a").first().click();
    await page.locator("#actions .tag", { hasText: "not in force" }).first().waitFor();
    await reach(page, "#contain");
    await page.keyboard.press("Enter");
    await page.locator("#facts .tag", { hasText: "contained" }).waitFor();
    await page.locator("#actions .tag", { hasText: /^. in force/ }).first().waitFor();
    await reach(page, "#release");
    await page.keyboard.press("Enter");
    await page.locator("#facts .tag", { hasText: "released" }).waitFor();
  } finally {
    await shadow.stop();
  }
});

test("an_entry_of_the_ledger_is_verified_in_front_of_the_reader", async () => {
  const page = await admin();
  await page.goto("/ledger");
  const link = page.getByRole("region", { name: /^Entries/ }).getByRole("link", { name: /^[0-9]+$/ }).first();
  const index = await link.textContent();
  await link.click();
  await page.locator("#verdict").getByText("verified").waitFor();
  const steps = page.locator(".steps");
  for (const word of ["read", "equal", "signed"]) await steps.locator(".tag", { hasText: word }).waitFor();
  assert.ok((await steps.locator("ul li").count()) >= 1, "the way up the tree is shown");
  const command = await page.locator("pre", { hasText: "audit verify --proof" }).textContent();
  const verifier = command.match(/--verifier '([^']+)'/)[1];
  const proof = await (await page.context().request.get(`/ledger/${index}/proof`)).text();
  const file = join(house.folder, `entry-${index}.tlog-proof`);
  writeFileSync(file, proof);
  const verified = await run("audit", "verify", "--proof", file, "--verifier", verifier);
  assert.equal(verified.code, 0, verified.text);
  writeFileSync(file, proof.replace(`index ${index}\n`, "index 0\n"));
  assert.equal((await run("audit", "verify", "--proof", file, "--verifier", verifier)).code, 1, "a bent proof is not verified");
});

test("a_key_is_made_rotated_and_revoked_and_the_gateway_obeys_at_once", async () => {
  const page = await admin();
  await page.goto("/access");
  const form = page.locator('form[action="/access/keys"]');
  const option = await form.locator("option", { hasText: "first-client" }).getAttribute("value");
  await form.getByLabel("For").selectOption(option);
  await form.getByRole("button", { name: "Make a key" }).click();
  const first = await page.getByLabel("API key", { exact: true }).inputValue();
  assert.equal(await status(first), 200);
  await page.goto("/access");
  assert.ok(!(await page.content()).includes(first), "a key is shown once");
  const rowOf = async (key) => {
    for (const row of await page.locator("section", { hasText: "API keys" }).locator("tbody tr").all()) {
      const prefix = (await row.locator("code").first().textContent()).trim();
      if (key.includes(prefix)) return row;
    }
    return assert.fail("the key is not listed");
  };
  await (await rowOf(first)).getByRole("button", { name: /^Rotate/ }).click();
  const second = await page.getByLabel("API key", { exact: true }).inputValue();
  assert.notEqual(second, first);
  assert.deepEqual([await status(first), await status(second)], [200, 200], "both are good while they overlap");
  await (await rowOf(first)).getByRole("button", { name: /^Revoke/ }).click();
  await page.getByRole("status").getByText("refused from the next request on").waitFor();
  assert.deepEqual([await status(first), await status(second)], [401, 200]);
});

test("an_advisory_is_traced_to_the_models_that_it_reaches", async () => {
  const folder = join(house.folder, "shop");
  mkdirSync(folder);
  const record = { id: "PYSEC-2026-1", modified: "2026-11-01T00:00:00Z", aliases: ["CVE-2026-1"],
    affected: [{ package: { ecosystem: "PyPI", name: "scipy" }, ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "1.14.1" }] }] }] };
  writeFileSync(join(house.folder, "record.json"), JSON.stringify(record));
  const packages = [["scikit-learn", "1.5.2", 'dependencies = [{ name = "scipy" }]'], ["scipy", "1.13.0", ""]];
  const lock = packages.map(([name, version, more]) => `[[package]]\nname = "${name}"\nversion = "${version}"\nsource = { registry = "https://pypi.org/simple" }\n${more}\n`);
  writeFileSync(join(folder, "uv.lock"), `version = 1\n\n${lock.join("\n")}`);
  writeFileSync(join(folder, "forest.joblib"), Buffer.from("80048c16736b6c6561726e2e747265652e5f636c61737365735f948c164465636973696f6e54726565436c61737369666965729493942981947d94622e", "hex"));
  const index = join(house.folder, "advisories.idx");
  assert.equal((await run("intel", "import", "--output", index, join(house.folder, "record.json"))).code, 0);
  const scan = await run("scan", folder, "--intel", index, "--record", "shop", "--state", house.state);
  assert.equal(scan.code, 1, scan.text);
  const page = await admin();
  await page.goto("/overview");
  await page.getByRole("link", { name: "Inventory" }).click();
  await page.getByLabel(/^Advisory/).fill("cve-2026-1");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("pkg:pypi/scikit-learn@1.5.2 → pkg:pypi/scipy@1.13.0").waitFor();
  await page.getByRole("link", { name: "shop" }).first().click();
  await page.getByRole("heading", { name: "shop" }).waitFor();
  await page.getByRole("cell", { name: "1.13.0", exact: true }).waitFor();
  await page.goto("/inventory?advisory=CVE-2026-999");
  await page.getByText("No recorded project has a package").waitFor();
});

test("an_auditor_sees_everything_and_changes_nothing", async () => {
  const password = await addPerson(await admin(), "audrey", "auditor");
  const context = await visit();
  const page = await context.newPage();
  await logIn(page, "audrey", password);
  await setPassword(page, `${PASSWORD} too`);
  await page.waitForURL("**/overview");
  for (const path of ["/incidents", "/inventory", "/ledger", "/traffic", "/access"]) {
    assert.equal((await page.goto(path)).status(), 200, path);
  }
  assert.equal(await page.locator("main form").count(), 0, "no form is offered");
  await page.goto("/incidents");
  await page.locator("#incidents table a").first().click();
  await page.getByText("Your role may read incidents").waitFor();
  const csrf = await page.locator('input[name="csrf"]').first().inputValue();
  const answers = [
    await context.request.post(`${new URL(page.url()).pathname}/release`, { form: { csrf } }),
    await context.request.post("/access/principals", { form: { csrf, name: "mallory", roles: "admin" } }),
  ];
  for (const answer of answers) assert.equal(answer.status(), 403);
  assert.match(await answers[0].text(), /Not permitted/);
});

test("a_form_without_its_token_is_refused", async () => {
  const context = (await admin()).context();
  for (const form of [{ name: "mallory", roles: "admin" }, { csrf: "0".repeat(64), name: "mallory", roles: "admin" }]) {
    const answer = await context.request.post("/access/principals", { form });
    assert.equal(answer.status(), 403);
  }
  const foreign = await context.request.post("/login", { form: { name: "a", password: "b" }, headers: { "sec-fetch-site": "cross-site" } });
  assert.equal(foreign.status(), 403, "nor can another site log somebody in");
  const page = await admin();
  await page.goto("/access");
  assert.equal(await page.getByText("mallory").count(), 0);
});

test("everything_works_without_javascript", async () => {
  const drilled = await drill();
  assert.equal(drilled.code, 0, drilled.text);
  const page = await (await visit({ javaScriptEnabled: false })).newPage();
  await logIn(page, "admin", PASSWORD);
  await page.getByRole("heading", { name: "What is weak" }).waitFor();
  await page.getByRole("link", { name: /^Incidents/ }).click();
  await page.locator("tr", { hasText: "contained" }).locator("a").first().click();
  await page.getByRole("button", { name: /^Release/ }).click();
  await page.locator("#facts .tag", { hasText: "released" }).waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.goto("/overview");
  assert.match(page.url(), /\/login$/);
});

test("attack_strings_are_shown_as_text", async () => {
  const page = await admin();
  const password = await addPerson(page, ATTACK, "client");
  assert.ok(password.length > 8);
  for (const path of ["/access", "/overview", "/ledger"]) {
    await page.goto(path);
    assert.equal(await page.locator("main script, main img").count(), 0, path);
    assert.equal(await page.evaluate(() => window.hurt), undefined, path);
  }
  await page.goto("/access");
  await page.getByText(ATTACK).first().waitFor();
  const lost = await page.goto(`/incidents/${encodeURIComponent(ATTACK)}`);
  assert.equal(lost.status(), 404);
  assert.ok(!(await lost.text()).includes(ATTACK));
});

test("every_answer_carries_the_security_headers", async () => {
  const context = (await admin()).context();
  for (const path of ["/login", "/overview", "/assets/console.js", "/nowhere", "/api/v1/overview"]) {
    const headers = (await context.request.get(path)).headers();
    const policy = headers["content-security-policy"] ?? "";
    assert.match(policy, /default-src 'none'/, path);
    assert.match(policy, /script-src 'self'/, path);
    assert.doesNotMatch(policy, /unsafe/, path);
    assert.match(policy, /frame-ancestors 'none'/, path);
    assert.equal(headers["x-content-type-options"], "nosniff", path);
    assert.equal(headers["referrer-policy"], "no-referrer", path);
    assert.equal(headers["cache-control"], "no-store", path);
  }
  const { cookies } = await context.storageState();
  const cookie = cookies.find(({ name }) => name === "bartizan_session");
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Strict", "/"]);
});

test("no_page_breaks_the_policy_it_is_served_under", async () => {
  const page = await admin();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  for (const path of ["/overview", "/traffic", "/incidents", "/inventory", "/inventory/shop", "/ledger", "/ledger/0", "/access", "/password"]) {
    await page.goto(path);
    await page.waitForLoadState("load");
  }
  assert.deepEqual(complaints, []);
});

for (const colorScheme of ["light", "dark"]) {
  test(`every_page_is_accessible_in_${colorScheme}`, async () => {
    const options = { colorScheme, bypassCSP: true };
    const page = await admin(options);
    const stranger = await (await visit(options)).newPage();
    await page.goto("/incidents");
    const incident = await page.locator("#incidents table a").first().getAttribute("href");
    const paths = ["/overview", "/traffic", "/incidents", incident, "/inventory", "/inventory?advisory=CVE-2026-1", "/inventory/shop", "/ledger", "/ledger/0", "/access", "/password", "/nowhere"];
    for (const [visitor, path] of [...paths.map((path) => [page, path]), [stranger, "/login"]]) {
      await visitor.goto(path);
      await visitor.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
      await visitor.addScriptTag({ content: AXE });
      const { violations } = await visitor.evaluate(() => window.axe.run(document));
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("; ")}`);
      assert.deepEqual(found, [], path);
    }
  });
}

test("a_narrow_window_needs_no_sideways_scrolling", async () => {
  const page = await admin({ viewport: { width: 320, height: 640 } });
  for (const path of ["/overview", "/traffic", "/incidents", "/inventory", "/inventory/shop", "/ledger", "/ledger/0", "/access"]) {
    await page.goto(path);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 320, `${path} is ${wide} pixels wide`);
  }
});

test("logging_out_ends_the_session_for_good", async () => {
  const context = await visit();
  const page = await context.newPage();
  await logIn(page, "admin", PASSWORD);
  await page.waitForURL("**/overview");
  const kept = await context.storageState();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL("**/login");
  const thief = await (await visit({ storageState: kept })).newPage();
  await thief.goto("/overview");
  assert.match(thief.url(), /\/login$/, "a copied cookie opens nothing any more");
});
