// Drives the page in headless Chromium: node page.js PLAYWRIGHT CHROMIUM URL FOLDER. Commands of the test come on stdin, one a line;
// each is answered with a line.
'use strict';
const { chromium } = require(process.argv[2]);
const [, , , executablePath, url, folder] = process.argv;
const lines = require('readline').createInterface({input: process.stdin})[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value;
const say = text => process.stdout.write(text + '\n');
const expect = (right, what) => { if (!right) throw new Error(what); };

(async () => {
  const browser = await chromium.launch({executablePath, args: ['--no-sandbox', '--disable-gpu']});
  const page = await browser.newPage({viewport: {width: 1280, height: 900}});
  const faults = [];
  const foreign = [];
  page.on('console', message => { if (message.type() === 'error') faults.push(message.text()); });
  page.on('pageerror', error => faults.push(error.message));
  page.on('request', request => { if (!request.url().startsWith(url)) foreign.push(request.url()); });
  page.setDefaultTimeout(15000);
  await page.goto(url);
  await page.waitForSelector('#live.on');
  say('vms ' + await page.locator('#vms tbody tr').count());

  await page.click('#vms button:has-text("vm")');
  await page.waitForFunction(() => document.querySelector('#kinds').textContent.includes('MiB'));
  say('map ' + await page.getAttribute('#map', 'aria-label'));

  const whole = await page.textContent('#vm-range');
  await page.click('#map', {position: {x: 400, y: 30}});
  await page.waitForFunction(before => document.querySelector('#vm-range').textContent !== before, whole);
  const part = await page.textContent('#vm-range');
  expect(part.includes('16 MiB in cells'), 'zoomed to ' + part);
  await page.keyboard.press('Home');
  await page.waitForFunction(before => document.querySelector('#vm-range').textContent === before, whole);
  await page.focus('#map');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  expect((await page.textContent('#cell')).startsWith('0x'), 'the chosen cell is told');
  await page.keyboard.press('+');
  await page.waitForFunction(before => document.querySelector('#vm-range').textContent !== before, whole);
  await page.keyboard.press('-');
  await page.waitForFunction(before => document.querySelector('#vm-range').textContent === before, whole);
  say('zoomed');

  await next(); // The migration has begun.
  await page.waitForFunction(() => document.querySelector('#migration').textContent.includes('%'));
  await page.waitForFunction(() => document.querySelector('#kinds').textContent.includes('travelled'));
  await page.screenshot({path: folder + '/migration.png'});
  await page.waitForFunction(() => document.querySelector('#migration').textContent.includes('done in'), null, {timeout: 40000});
  say('watched ' + await page.textContent('#migration'));

  await page.setViewportSize({width: 390, height: 844});
  await page.emulateMedia({colorScheme: 'dark'});
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide <= 390, 'a phone has to scroll sideways: ' + wide);
  await page.keyboard.press('Escape');
  expect(await page.isHidden('#vm'), 'Esc closes the VM');
  expect(await page.evaluate(() => document.activeElement.textContent) === 'vm', 'the focus is back at the VM');
  // A script that is not the page's own does not run.
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.ran = true';
    document.body.append(script);
    return window.ran === true;
  });
  expect(!ran, 'a script that was put into the page ran');
  expect(foreign.length === 0, 'asks other hosts: ' + foreign);
  expect(faults.filter(fault => !fault.includes('Content Security Policy')).length === 0, 'faults: ' + faults);
  say('done');
  await browser.close();
  process.exit(0);
})().catch(error => { say('failed ' + error.message); process.exit(1); });
