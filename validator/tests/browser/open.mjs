// Opens reports in headless Chromium: node open.mjs FOLDER REPORT.html...; writes a picture of each into FOLDER.
// A report must open without an error and without the network, lead to where its links say, fit a
// phone, and give axe-core nothing serious to say, in both themes. Ends with 1 and the reasons, otherwise with 0.
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { createRequire } from "node:module";
import puppeteer from "puppeteer-core";

const [folder, ...reports] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const wrong = [];
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });

async function open(report, width, scheme, complain) {
  const page = await browser.newPage();
  // No console message and no request is right.
  page.on("console", (message) => complain(`console: ${message.text()}`));
  page.on("pageerror", (error) => complain(`script: ${error.message}`));
  page.on("request", (request) => { if (!/^(file|data):/.test(request.url())) complain(`network: ${request.url()}`); });
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(`file://${resolve(report)}`, { waitUntil: "load" });
  if (!(await page.evaluate(() => document.documentElement.dataset.ready))) complain("the script did not get to its end");
  return page;
}

// Until the first frame with everything in it is painted, as the browser itself counts it.
const drawn = (page) => page.evaluate(() => new Promise((done) =>
  requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0))));

// Every link of the page leads to something in it, and opens it.
const links = (page) => page.evaluate(async () => {
  const missing = [];
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const all = [...document.querySelectorAll("a[href]")].map((link) => link.getAttribute("href"));
  for (const href of new Set(all)) {
    const target = href.startsWith("#") && document.getElementById(href.slice(1));
    if (!target) { missing.push(`${href} leads nowhere`); continue; }
    location.hash = href;
    await frame();
    const box = target.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) missing.push(`${href} leads to what cannot be seen`);
    if (target.classList.contains("mark") && document.querySelector(".cursor").hidden) missing.push(`${href} shows no moment`);
  }
  return all.length ? missing : ["there is no link at all"];
});

// On paper every row has its label, also after somebody zoomed and scrolled the axis by its links.
const printed = async (page) => {
  await page.emulateMediaType("print");
  const hidden = await page.evaluate(() => {
    dispatchEvent(new Event("beforeprint"));
    const figure = document.querySelector(".axis").getBoundingClientRect();
    const rows = [...document.querySelectorAll(".row > .label")];
    const away = rows.filter((label) => {
      const box = label.getBoundingClientRect();
      return box.width === 0 || box.left < figure.left - 1 || getComputedStyle(label).position !== "static";
    });
    return [...away.map((label) => `no label on paper: ${label.textContent.trim().slice(0, 40)}`), ...(rows.length ? [] : ["no row"])];
  });
  await page.emulateMediaType("screen");
  return hidden;
};

const serious = (page) => page.evaluate(async () => {
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `axe ${one.id}: ${one.help} (${one.nodes.length}), first ${one.nodes[0].html.slice(0, 160)}`);
});

for (const report of reports) {
  const name = basename(report, ".html");
  const complaints = (what) => (text) => wrong.push(`${name} ${what}: ${text}`);
  for (const [width, scheme] of [[1280, "light"], [1280, "dark"], [400, "light"]]) {
    const complain = complaints(`${width} ${scheme}`);
    const page = await open(report, width, scheme, complain);
    const took = await drawn(page);
    // Told and not judged: a machine that is busy draws later.
    if (width === 1280 && scheme === "light") console.log(`${name}: drawn after ${Math.round(took)} ms`);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (beyond > 0) complain(`${beyond} px wider than the window`);
    await page.screenshot({ path: `${folder}/${name}-${width}-${scheme}.png`, fullPage: false });
    await page.screenshot({ path: `${folder}/${name}-${width}-${scheme}-whole.png`, fullPage: true });
    // The page's own policy forbids scripts from elsewhere: axe is put into it past that.
    await page.evaluate(axe);
    (await serious(page)).forEach(complain);
    await page.close();
  }
  const page = await open(report, 1280, "light", complaints("links"));
  (await links(page)).forEach(complaints("links"));
  (await printed(page)).forEach(complaints("print"));
  await page.pdf({ path: `${folder}/${name}.pdf`, format: "A4", printBackground: true });
  await page.close();
}
await browser.close();
wrong.forEach((line) => console.error(line));
process.exit(wrong.length ? 1 : 0);
