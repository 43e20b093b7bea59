// Look at a page as people do, and print what was found as JSON: node check.mjs PAGE.html [FOLDER for screenshots]
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [page_path, shots] = process.argv.slice(2);
const address = pathToFileURL(resolve(page_path)).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const MISSPELT = /-0\.0+(?!\d)|\b1 more features|undefined|NaN/; // of a sample: a zero below zero, several of one, a slip of the script
const PRINTED_WIDTH = 718; // CSS pixels of A4 without the usual margins

const browser = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "page-")), {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const found = { requests: [], errors: [], ready: [], axe: [], clipped: [], keyboard: [], printed: [], wording: [], empty: [], samples: {} };

async function open(options) {
  const page = await browser.newPage();
  page.on("request", (request) => request.url() === address || request.url().startsWith("data:") || found.requests.push(request.url()));
  page.on("console", (message) => message.type() === "error" && found.errors.push(message.text()));
  page.on("pageerror", (error) => found.errors.push(String(error)));
  await page.setViewportSize({ width: options.width, height: options.height ?? 800 });
  await page.emulateMedia({ colorScheme: options.scheme ?? "light", media: options.media ?? "screen" });
  const start = performance.now();
  await page.goto(address);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "yes");
  found.ready.push(Math.round(performance.now() - start));
  return page;
}

// What sticks out of the window or of a box that hides it.
function sticksOut(where) {
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  const boxes = [...document.querySelectorAll("main *")].filter((node) => {
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    if (!box.width || !box.height || node.closest("svg svg, .list")) return false;
    return box.right > document.documentElement.clientWidth + 1 || (box.left < -1 && box.left > -900) || (style.overflowX !== "visible" && node.scrollWidth > node.clientWidth + 1);
  });
  return [...(wide ? [`${where}: the page is wider than the window`] : []), ...boxes.slice(0, 5).map((node) => `${where}: ${node.tagName} ${node.className?.baseVal ?? node.className} ${node.textContent.slice(0, 40).trim()}`)];
}

async function look(page, where, part) {
  if (part) {
    const results = await page.evaluate(async (own) => axe.run(own, { resultTypes: ["violations"] }), part);
    for (const violation of results.violations) {
      found.axe.push(`${where}: ${violation.id} (${violation.impact}): ${violation.nodes.slice(0, 2).map((node) => node.html.slice(0, 160)).join(" | ")}`);
    }
  }
  found.clipped.push(...(await page.evaluate(sticksOut, where)));
}

async function walk(page, where, shoot) {
  await look(page, where, "html");
  if (shoot) await page.screenshot({ path: join(shots, `${where}-glance.png`) });
  for (const dataset of await page.$$eval(".dataset", (sections) => sections.map((section) => section.id))) {
    await page.evaluate((name) => { location.hash = name; }, dataset);
    await page.waitForSelector(`#${dataset}.on`);
    for (const tab of await page.$$eval(`#${dataset} [role=tab]`, (tabs) => tabs.map((one) => one.dataset.tab))) {
      await page.click(`#${dataset} [role=tab][data-tab=${tab}]`);
      if (tab === "samples" && (await page.$(`#${dataset} .samples`))) await page.waitForSelector(`#${dataset} .detail h4`);
      await look(page, `${where} ${dataset} ${tab}`, `#${dataset}-${tab}`);
      if (shoot) await (await page.$(`#${dataset}`)).screenshot({ path: join(shots, `${where}-${dataset}-${tab}.png`) });
    }
  }
}

for (const width of [390, 1280]) {
  for (const scheme of ["light", "dark"]) {
    const page = await open({ width, scheme });
    await page.evaluate(axe);
    await walk(page, `${width}-${scheme}`, Boolean(shots));
    await page.close();
  }
}

// From the top through every tab and sample with the keyboard alone.
{
  const page = await open({ width: 1280 });
  const focus = () => page.evaluate(() => ({ tag: document.activeElement.tagName, role: document.activeElement.getAttribute("role"), href: document.activeElement.getAttribute("href"), tab: document.activeElement.dataset.tab }));
  const until = async (isThere, most = 60) => {
    for (let count = 0; count < most; count += 1) {
      await page.keyboard.press("Tab");
      if (isThere(await focus())) return true;
    }
    return false;
  };
  const datasets = await page.$$eval(".dataset", (sections) => sections.map((section) => section.id));
  for (const dataset of datasets) {
    await page.evaluate(() => { location.hash = ""; document.activeElement.blur(); });
    await page.reload();
    await page.waitForFunction(() => document.documentElement.dataset.ready === "yes");
    if (!(await until((at) => at.href === `#${dataset}`))) { found.keyboard.push(`${dataset}: its link is not reached`); continue; }
    await page.keyboard.press("Enter");
    await page.waitForSelector(`#${dataset}.on`);
    if (!(await until((at) => at.role === "tab"))) { found.keyboard.push(`${dataset}: no tab is reached`); continue; }
    const tabs = await page.$$eval(`#${dataset} [role=tab]`, (all) => all.map((one) => one.dataset.tab));
    for (const [index, tab] of tabs.entries()) {
      const at = await focus();
      if (at.tab !== tab || !(await page.isVisible(`#${dataset}-${tab}`))) found.keyboard.push(`${dataset}: tab ${tab} is not shown`);
      if (tab === "samples" && (await page.$(`#${dataset} .samples`))) {
        await page.waitForSelector(`#${dataset} .detail h4`);
        if (!(await until((one) => one.role === "listbox"))) { found.keyboard.push(`${dataset}: the list of samples is not reached`); break; }
        const total = await page.$$eval(`#${dataset} [role=option]`, (options) => options.length);
        const ends = await page.$$eval(`#${dataset} [role=option] span:last-child`, (all) => all.map((one) => Math.round(one.getBoundingClientRect().right)));
        if (new Set(ends).size > 1) found.clipped.push(`${dataset}: the list's classes end at ${[...new Set(ends)].join(", ")}`);
        const seen = new Set();
        for (let count = 0; count < total; count += 1) {
          seen.add(await page.textContent(`#${dataset} .detail h4`));
          const words = await page.$$eval(`#${dataset} .detail text, #${dataset} .detail p, #${dataset} .detail summary`, (all) => all.map((one) => one.textContent));
          found.wording.push(...words.filter((text) => MISSPELT.test(text)).map((text) => `${dataset}: ${text}`));
          found.empty.push(...(await page.$$eval(`#${dataset} .detail table, #${dataset} .detail svg`, (all) => all.filter((one) => !(one.tagName === "TABLE" ? one.querySelector("td") : one.querySelector("rect, circle, path[d*=L]"))).map((one) => one.parentElement.textContent))));
          await page.keyboard.press("ArrowDown");
        }
        found.samples[dataset] = seen.size;
        if (seen.size !== total) found.keyboard.push(`${dataset}: ${seen.size} of ${total} samples are reached`);
        await page.focus(`#${dataset} [role=tab][data-tab=samples]`);
      }
      if (index + 1 < tabs.length) await page.keyboard.press("ArrowRight");
    }
  }
  await page.close();
}

// On paper everything is shown.
{
  const page = await open({ width: PRINTED_WIDTH, media: "print" });
  found.clipped.push(...(await page.evaluate(sticksOut, "print")));
  const hidden = await page.$$eval(".dataset, .panel, .model:not(.static)", (parts) => parts.filter((part) => !part.checkVisibility()).map((part) => part.id || part.dataset.model));
  found.printed.push(...hidden.map((name) => `${name} is not printed`));
  if (shots) await page.pdf({ path: join(shots, "page.pdf"), format: "A4" });
  await page.close();
}
await browser.close();
console.log(JSON.stringify(found, null, 1));
