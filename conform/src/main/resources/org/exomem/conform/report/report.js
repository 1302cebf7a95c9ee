const rows = [...document.querySelectorAll('details')];
const tiles = [...document.querySelectorAll('.tiles button')];
const sections = [...document.querySelectorAll('section:not(.notes)')];
const notes = document.querySelector('.notes');
const search = document.querySelector('input[type=search]');
const left = document.querySelector('#left');
let wanted = '';
function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const is = (!wanted || row.dataset.verdict === wanted) && words.every(word => text.includes(word));
    row.hidden = !is;
    count += is ? 1 : 0;
  }
  for (const section of sections) section.hidden = !section.querySelector('details:not([hidden])');
  if (notes) notes.hidden = count !== rows.length;
  for (const tile of tiles) tile.setAttribute('aria-pressed', String(tile.dataset.verdict === wanted));
  left.textContent = count === rows.length ? '' : count + ' of ' + rows.length + ' checks are shown.';
}
for (const tile of tiles) tile.addEventListener('click', () => {
  wanted = wanted === tile.dataset.verdict ? '' : tile.dataset.verdict;
  show();
});
search.addEventListener('input', show);
