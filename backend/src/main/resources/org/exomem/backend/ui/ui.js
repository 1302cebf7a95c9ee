'use strict';
// Shows what /events tells. Nothing here is taken for HTML, and nothing comes from another host.
const $ = id => document.getElementById(id);
const KINDS = [ // letter, word, for people; the last two are so of pages of any kind besides
  ['u', 'used', 'used'], ['h', 'hinted', 'hinted free'], ['f', 'free', 'free by bitmap'], ['r', 'reported', 'reported free'],
  ['b', 'balloon', 'in the balloon'], ['p', 'unplugged', 'unplugged'], ['o', 'hole', 'no host memory'],
  ['?', 'unseen', 'not examined yet'], ['-', 'none', 'no guest memory'],
  ['w', 'written', 'written recently'], ['t', 'travelled', 'travelled']];
const WORD = Object.fromEntries(KINDS.map(k => [k[0], k[1]]));
const LABEL = Object.fromEntries(KINDS.map(k => [k[0], k[2]]));
const token = new URLSearchParams(location.hash.slice(1)).get('token') || sessionStorage.getItem('token');
if (token) { sessionStorage.setItem('token', token); history.replaceState(null, '', location.pathname + location.search); }

const vms = new Map();
let open = null;      // the VM that is open
let part = null;      // {from, length} of its memory that is shown; null: all
let map = null;       // what is drawn: {from, length, cell, regions, cells}
let chosen = -1;      // the cell that the keyboard is at
let stream = null;    // ends the stream that runs
let grid = {columns: 64, rows: 24, size: 12};

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
function size(bytes) {
  let power = 0;
  while (power < 5 && bytes >= 1024 ** (power + 1)) power++;
  const value = bytes / 1024 ** power;
  return [Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0), UNITS[power]];
}
const sizeText = bytes => size(bytes).join(' ');
const hex = n => '0x' + n.toString(16);
const percent = (a, b) => b > 0 ? (a > 0 && a / b < .001 ? '<0.1' : (100 * a / b).toFixed(a / b < .1 ? 1 : 0)) + ' %' : '';

function element(name, attributes = {}, ...inside) {
  const made = name === 'svg' || name === 'rect' || name === 'title'
    ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}
function number(bytes) {
  if (bytes === undefined) return [element('span', {class: 'dash'}, '–')];
  const [value, unit] = size(bytes);
  return [value, element('span', {class: 'unit'}, unit)];
}
/** A bar of parts [class, share of 1]; what is left stays empty. */
function bar(parts, label) {
  const svg = element('svg', {class: 'bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', role: 'img', 'aria-label': label});
  let x = 0;
  for (const [kind, share] of parts) {
    const width = Math.max(0, Math.min(100 - x, share * 100));
    if (width > 0) svg.append(element('rect', {class: 'c-' + kind, x, y: 0, width, height: 10}));
    x += width;
  }
  svg.append(element('title', {}, label));
  return svg;
}
const underWay = m => m && ['setup', 'active', 'device', 'reconnecting'].includes(m.status);
function migrationText(m) {
  const where = m.direction === 'incoming' ? 'from ' : m.direction === 'save' ? 'saved to ' : 'to ';
  switch (m.status) {
    case 'completed': return 'done in ' + (m.time / 1000).toFixed(1) + ' s' + (m.downtime === undefined ? '' : ', paused ' + m.downtime + ' ms');
    case 'failed': case 'cancelled': return m.status;
    case 'reconnecting': return 'connection lost, retrying';
    default: return m.total ? percent(m.done, m.total) + (m.rate ? ' · ' + sizeText(m.rate) + '/s' : '') : where + m.peer;
  }
}
function migrationCell(m) {
  if (!m) return [element('span', {class: 'dash'}, '–')];
  const share = m.status === 'completed' ? 1 : m.total ? m.done / m.total : 0;
  const label = m.direction + ' ' + m.status + ' ' + migrationText(m);
  const text = element('span', m.status === 'failed' ? {class: 'fail', title: m.why || ''} : {}, migrationText(m));
  return [element('div', {class: 'mig'}, bar([[m.status === 'failed' ? 'written' : m.status === 'completed' ? 'free' : 'used', share]], label), text)];
}
function row(vm) {
  const memory = vm.memory || 0;
  const low = vm.available !== undefined && vm.guest && vm.available < vm.guest / 10;
  const cells = [
    element('td', {class: 'bar'}, memory ? bar([['used', (vm.host || 0) / memory], ['balloon', (vm.ballooned || 0) / memory]],
      'host holds ' + sizeText(vm.host || 0) + ', balloon ' + sizeText(vm.ballooned || 0) + ', of ' + sizeText(memory))
      : element('span', {class: 'dash'}, '–')),
    ...[['Memory', memory || undefined], ['Guest has', memory ? vm.actual : undefined], ['Target', vm.target], ['Host holds', vm.host],
        ['Available', vm.available], ['Plugged', vm['region-size'] ? vm.plugged : undefined]].map(([name, bytes]) =>
      element('td', {class: 'n' + (name === 'Available' && low ? ' low' : ''), 'data-name': name}, ...number(bytes))),
    element('td', {class: 'm'}, ...migrationCell(vm.migration))];
  const button = element('button', {type: 'button', 'aria-expanded': String(vm.name === open)}, vm.name);
  const name = element('th', {scope: 'row'}, button);
  if (vm.state !== 'connected') name.append(element('span', {class: 'state'}, vm.state === 'waiting' ? 'waiting for its VMM' : vm.state));
  return element('tr', {'data-vm': vm.name, class: vm.name === open ? 'open' : ''}, name, ...cells);
}
function showVms() {
  const body = $('vms').tBodies[0];
  const focused = document.activeElement && document.activeElement.closest('#vms tr');
  const names = [...vms.keys()].sort();
  const have = new Map([...body.rows].map(r => [r.dataset.vm, r]));
  names.forEach((name, index) => {
    const vm = vms.get(name);
    const text = JSON.stringify(vm) + (name === open);
    let line = have.get(name);
    if (!line || line.told !== text) {
      const fresh = row(vm);
      fresh.told = text;
      if (line) line.replaceWith(fresh);
      if (focused && focused.dataset.vm === name) fresh.querySelector('button').focus();
      line = fresh;
    }
    have.delete(name);
    if (body.rows[index] !== line) body.insertBefore(line, body.rows[index] || null);
  });
  have.forEach(line => line.remove());
  $('none').hidden = names.length > 0;
  $('vms').hidden = names.length === 0;
  const sum = key => [...vms.values()].reduce((all, vm) => all + (vm[key] || 0), 0);
  $('total-vms').textContent = names.length;
  $('total-memory').textContent = sizeText(sum('memory'));
  $('total-actual').textContent = sizeText(sum('actual'));
  $('total-host').textContent = sizeText(sum('host'));
  showMigration();
}
function showMigration() {
  const m = open && vms.get(open) && vms.get(open).migration;
  $('migration').hidden = !m;
  $('cancel').hidden = !underWay(m);
  if (!m) return;
  const share = m.status === 'completed' ? 1 : m.total ? m.done / m.total : 0;
  const words = (m.direction === 'incoming' ? 'From ' : m.direction === 'save' ? 'Saved to ' : 'To ') + m.peer + ': ' + migrationText(m)
    + (underWay(m) && m.round ? ', round ' + m.round + ', ' + sizeText(m.sent) + ' sent' : '') + (m.status === 'failed' && m.why ? ': ' + m.why : '');
  const text = element('span', m.status === 'failed' ? {class: 'fail'} : {}, words);
  $('migration').replaceChildren(bar([[m.status === 'failed' ? 'written' : m.status === 'completed' ? 'free' : 'used', share]], words), text);
}

/* The map. */
function cellsOf(text) {
  const cells = [];
  for (const run of text ? text.split(' ') : []) {
    const [cell, count] = run.split('*');
    for (let i = count ? Number(count) : 1; i > 0; i--) cells.push(cell);
  }
  return cells;
}
function partsOf(cell) {
  if (cell.length === 1) return [[cell, 8]];
  const parts = [];
  for (let i = 0; i < cell.length; i += 2) parts.push([cell[i], Number(cell[i + 1])]);
  return parts;
}
function takeMap(news) {
  if (news.vm !== open) return;
  $('problem').hidden = !news.error;
  if (news.error) {
    $('problem').textContent = news.error;
    map = null;
    draw();
    showKinds({});
    return;
  }
  if (news.cells !== undefined) {
    map = {from: news.from, length: news.length, cell: news.cell, regions: news.regions, cells: cellsOf(news.cells)};
    chosen = Math.min(chosen, map.cells.length - 1);
    showRegions();
  } else if (map) {
    for (const change of news.changes ? news.changes.split(' ') : []) {
      const [at, run] = change.split(':');
      const [cell, count] = run.split('*');
      map.cells.fill(cell, Number(at), Number(at) + Number(count || 1));
    }
  }
  showKinds(news.sum);
  draw();
  say(false);
}
function showKinds(sum) {
  const all = KINDS.slice(0, 8).reduce((s, k) => s + (sum[k[1]] || 0), 0);
  $('kinds').tBodies[0].replaceChildren(...KINDS.filter(k => !['none', 'unseen'].includes(k[1]) || sum[k[1]])
    .filter((k, i) => !['written', 'travelled'].includes(k[1]) || sum.travelled || sum.written)
    .map(k => element('tr', {class: (sum[k[1]] ? '' : 'absent') + (k[0] === 'w' || k[0] === 't' ? ' besides' : '')},
      element('th', {scope: 'row'}, element('span', {class: 'swatch c-' + k[1]}), k[2]),
      element('td', {class: 'n'}, ...number(sum[k[1]])),
      element('td', {class: 'n'}, sum[k[1]] && k[1] !== 'none' ? percent(sum[k[1]], all) : ''))));
  $('map').setAttribute('aria-label', 'Map of the memory of ' + open + ': ' + KINDS.filter(k => sum[k[1]])
    .map(k => sizeText(sum[k[1]]) + ' ' + k[2]).join(', '));
}
function showRegions() {
  $('regions').replaceChildren(...map.regions.map(region => {
    const button = element('button', {type: 'button', title: hex(region.address)},
      sizeText(region.address) + ' – ' + sizeText(region.address + region.length));
    button.addEventListener('click', () => show({from: region.address, length: region.length}));
    return button;
  }));
  $('vm-range').textContent = hex(map.from) + ' – ' + hex(map.from + map.length) + ' · ' + sizeText(map.length) + ' in cells of ' + sizeText(map.cell);
  const end = endOfMemory();
  $('left').disabled = map.from <= 0;
  $('right').disabled = map.from + map.length >= end;
  $('out').disabled = $('all').disabled = part === null;
  $('in').disabled = map.cell <= 4096;
}
const endOfMemory = () => Math.max(...map.regions.map(region => region.address + region.length));
function layOut() {
  const width = $('map').parentElement.clientWidth || 800;
  const columns = width < 500 ? 32 : 64;
  const side = width / columns;
  const rows = 32; // a power of two, as the cells of a map are
  grid = {columns, rows, size: side};
}
function draw() {
  const canvas = $('map');
  const scale = devicePixelRatio || 1;
  const rows = map ? Math.ceil(map.cells.length / grid.columns) : grid.rows;
  const side = grid.size;
  canvas.width = Math.round(side * grid.columns * scale);
  canvas.height = Math.round(side * rows * scale);
  canvas.style.height = side * rows + 'px';
  const pen = canvas.getContext('2d');
  pen.scale(scale, scale);
  pen.clearRect(0, 0, side * grid.columns, side * rows);
  if (!map) return;
  const style = getComputedStyle(document.documentElement);
  const colour = Object.fromEntries(KINDS.map(k => [k[0], style.getPropertyValue('--' + k[1])]));
  const line = style.getPropertyValue('--line');
  const gap = side > 9 ? 1.5 : 1;
  map.cells.forEach((cell, i) => {
    const x = (i % grid.columns) * side, y = Math.floor(i / grid.columns) * side;
    const w = side - gap, h = side - gap;
    let below = h, written = 0, travelled = 0, rest = 8;
    const parts = partsOf(cell);
    for (const [kind, eighths] of parts) {
      if (kind === 'w') { written = eighths; continue; }
      if (kind === 't') { travelled = eighths; continue; }
      if (kind === '-') {
        if (eighths === 8) { pen.fillStyle = line; pen.fillRect(x + w / 2 - 1, y + h / 2 - 1, 2, 2); }
        continue;
      }
      pen.fillStyle = colour[kind];
      const last = kind === parts.filter(p => p[0] !== 'w' && p[0] !== 't').at(-1)[0];
      const high = last ? below : Math.min(below, Math.max(1, h * eighths / 8));
      pen.fillRect(x, y + below - high, w, high);
      below -= high;
    }
    if (travelled) { pen.fillStyle = colour.t; pen.fillRect(x, y + h - Math.max(2, h / 5), w * travelled / 8, Math.max(2, h / 5)); }
    if (written) { pen.fillStyle = colour.w; pen.fillRect(x, y, Math.max(2, w * written / 8), Math.max(2, h / 5)); }
  });
  if (chosen >= 0 && chosen < map.cells.length) {
    pen.strokeStyle = style.getPropertyValue('--text');
    pen.lineWidth = 2;
    pen.strokeRect((chosen % grid.columns) * side - gap / 2, Math.floor(chosen / grid.columns) * side - gap / 2, side, side);
  }
}
function describe(index) {
  const from = map.from + index * map.cell;
  const parts = partsOf(map.cells[index]).map(([kind, eighths]) => (eighths === 8 ? '' : Math.round(eighths * 12.5) + ' % ') + LABEL[kind]);
  return hex(from) + ' (' + sizeText(from) + '): ' + parts.join(', ');
}
function say(always) {
  if (map && chosen >= 0 && chosen < map.cells.length) {
    const text = describe(chosen);
    if (always || $('cell').textContent !== text) $('cell').textContent = text;
  } else {
    $('cell').textContent = '';
  }
}
function choose(index) {
  chosen = Math.max(0, Math.min(map.cells.length - 1, index));
  draw();
  say(true);
}
function zoomIn(index) {
  if (!map || map.cell <= 4096) return;
  const at = index >= 0 ? map.from + (index + .5) * map.cell : map.from + map.length / 2;
  shift(at, map.length / 8);
}
function shift(middle, length) {
  const end = endOfMemory();
  const pages = Math.max(1, Math.round(Math.max(length, 4096 * 64) / 4096));
  if (pages * 4096 >= end) { show(null); return; }
  const from = Math.max(0, Math.min(end - pages * 4096, Math.round((middle - pages * 2048) / 4096) * 4096));
  show({from, length: pages * 4096});
}
function show(wanted) {
  part = wanted;
  chosen = -1;
  listen();
}
function openVm(name) {
  open = name;
  part = null;
  map = null;
  chosen = -1;
  $('vm').hidden = name === null;
  document.title = name === null ? 'exomem' : name + ' – exomem';
  if (name !== null) {
    $('vm-title').textContent = name;
    $('vm-range').textContent = '';
    $('regions').replaceChildren();
    showKinds({});
    layOut();
    draw();
    $('vm').scrollIntoView({block: 'nearest'});
  }
  showVms();
  listen();
}

/* Server-sent events by fetch, which can carry the token. */
function headers() { return token ? {authorization: 'Bearer ' + token} : {}; }
function listen() {
  if (stream) stream.abort();
  const control = new AbortController();
  stream = control;
  const query = new URLSearchParams();
  if (open !== null) {
    query.set('vm', open);
    query.set('cells', grid.columns * grid.rows);
    if (part) { query.set('from', part.from); query.set('length', part.length); }
  }
  read('events?' + query, control).catch(e => {
    if (control.signal.aborted) return;
    live(false, e.message);
    setTimeout(() => { if (stream === control) listen(); }, 2000);
  });
}
async function read(url, control) {
  const answer = await fetch(url, {headers: headers(), signal: control.signal, cache: 'no-store'});
  if (!answer.ok) throw new Error(await answer.text());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const before = new Set(vms.keys());
  let fresh = true, text = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) throw new Error('the connection ended');
    text += value;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const [event, data] = text.slice(0, end).split('\n').map(line => line.slice(line.indexOf(' ') + 1));
      const news = JSON.parse(data);
      if (event === 'vms') {
        for (const vm of news) {
          if (vm.gone) vms.delete(vm.gone); else { vms.set(vm.name, vm); before.delete(vm.name); }
        }
        if (fresh) before.forEach(name => vms.delete(name));
        fresh = false;
        live(true);
        if (open !== null && !vms.has(open)) { openVm(null); return; }
        showVms();
      } else if (event === 'map') {
        takeMap(news);
      } else {
        throw new Error(news.error);
      }
    }
  }
}
function live(on, why) {
  const text = on ? 'live' : why;
  $('live').className = on ? 'on' : 'off';
  if ($('live').textContent !== text) $('live').textContent = text;
}
async function change(command, args) {
  try {
    const answer = await fetch('command', {method: 'POST', headers: {...headers(), 'content-type': 'application/json'},
      body: JSON.stringify({execute: command, arguments: args})});
    const text = answer.ok ? (await answer.json()).error || 'Requested.' : await answer.text();
    $('done').textContent = text;
  } catch (e) { $('done').textContent = e.message; }
}

$('vms').addEventListener('click', e => {
  const line = e.target.closest('tr[data-vm]');
  if (line) openVm(line.dataset.vm === open ? null : line.dataset.vm);
});
const indexAt = e => {
  const box = $('map').getBoundingClientRect();
  const index = Math.floor((e.clientY - box.top) / grid.size) * grid.columns + Math.floor((e.clientX - box.left) / grid.size);
  return map && index >= 0 && index < map.cells.length ? index : -1;
};
$('map').addEventListener('mousemove', e => {
  const index = indexAt(e);
  if (index >= 0 && index !== chosen) { chosen = index; draw(); say(false); }
});
$('map').addEventListener('click', e => { const index = indexAt(e); if (index >= 0) zoomIn(index); });
$('map').addEventListener('keydown', e => {
  if (!map || e.ctrlKey || e.metaKey || e.altKey) return;
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns}[e.key];
  if (step) choose(chosen < 0 ? 0 : chosen + step);
  else if (e.key === 'Enter') zoomIn(chosen);
  else return;
  e.preventDefault();
});
document.addEventListener('keydown', e => {
  if (open === null || e.target.tagName === 'INPUT' || e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === '+' || e.key === '=') $('in').click();
  else if (e.key === '-') $('out').click();
  else if (e.key === '[') $('left').click();
  else if (e.key === ']') $('right').click();
  else if (e.key === 'Home') $('all').click();
  else if (e.key === 'Escape') $('close').click();
  else return;
  e.preventDefault();
});
$('in').addEventListener('click', () => zoomIn(chosen));
$('out').addEventListener('click', () => { if (map && part) shift(map.from + map.length / 2, map.length * 8); });
$('left').addEventListener('click', () => { if (map) shift(map.from, map.length); });
$('right').addEventListener('click', () => { if (map) shift(map.from + map.length, map.length); });
$('all').addEventListener('click', () => show(null));
$('close').addEventListener('click', () => {
  const name = open;
  openVm(null);
  const line = document.querySelector('#vms tr[data-vm="' + CSS.escape(name) + '"] button');
  if (line) line.focus();
});
$('change').addEventListener('submit', e => {
  e.preventDefault();
  const bytes = Math.round(Number($('size').value.replace(',', '.')) * 1024 ** 3);
  if (bytes > 0) change('balloon', {vm: open, value: bytes}); else $('done').textContent = 'Not a size.';
});
$('ask').addEventListener('click', () => change('free-pages', {vm: open}));
$('cancel').addEventListener('click', () => change('migrate-cancel', {vm: open}));
let resizing = 0;
addEventListener('resize', () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => {
    const before = grid.columns * grid.rows;
    layOut();
    draw();
    if (open !== null && before !== grid.columns * grid.rows) listen();
  }, 200);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
fetch('access', {headers: headers()}).then(a => a.json()).then(a => { $('change').hidden = !(a.changes && token); }, () => {});
listen();
