// Makes inspect_cases.h: node tests/unit/worker/inspect_cases.js >tests/unit/worker/inspect_cases.h
const util = require('util');

const cases = [];
let seed = 1;

function draw(n) {
  seed = (seed * 48271) % 2147483647;
  return seed % n;
}

// A map as the check reads it: a line for each entry, "KEY=NUMBER" or "KEY[NUMBER NUMBER …".
function add(map) {
  const text = Object.entries(map).map(([key, value]) =>
    Array.isArray(value) ? `${key}[${value.map(show).join(' ')}` : `${key}=${show(value)}`);
  cases.push([text.join('\n'), util.inspect(map)]);
}

function show(value) {
  return Object.is(value, -0) ? '-0' : value.toPrecision(17);
}

function array(n, make) {
  return Array.from({ length: n }, (_, i) => make(i));
}

add({});
add({ 'g.x': 5, x: 1 });
for (const value of [0, -0, 1, -1, 0.1, 1.5, 100, 1e20, 1e21, 1.5e21, 123456789012345680000, 1e-6,
  1.25e-6, 1e-7, 1.5e-7, -2.5e-300, 5e-324, 1.7976931348623157e308, 2 ** 53, 1 / 3, 4.35, 1e5, 12e-5])
  add({ a: value });
for (const key of ['a', 'A_9', '_', '9a', 'a.b', 'a-b', 'a9.', 'a;b=c'])
  add({ [key]: 1 });
// Around the width of a line, by few long and many short entries.
for (let len = 50; len <= 72; len++)
  add({ ['k'.repeat(len)]: 1 });
for (let len = 20; len <= 34; len++)
  add({ ['a'.repeat(len)]: 1, ['b'.repeat(len)]: 23 });
for (let n = 3; n <= 26; n++)
  add(Object.fromEntries(array(n, (i) => [String.fromCharCode(97 + i), i % 10])));
for (const n of [0, 1, 6, 7, 8, 15, 27, 100, 101, 150]) {
  add({ t: array(n, (i) => i) });
  add({ 't.x': array(n, () => draw(1000) / 8) });
  add({ t: array(n, () => draw(100000000)) });
  add({ t: array(n, () => draw(1000000007) / 1000000) });
  add({ t: array(n, (i) => (i % 7 === 0 ? 1 / 3 : i)) });
}
for (let n = 7; n <= 40; n += 3)
  add({ a: array(n, () => Math.pow(10, draw(8)) * (1 - 2 * draw(2))), b: 1 });
add({ a: [1, 2, 3], b: [], 'c.d': [4.5] });
add({ a: array(20, () => 1), b: array(3, () => 2), c: array(120, () => 3) });
add({ t: array(30, (i) => 1234567890.12345 + i) });
add({ t: array(7, () => 1 / 3) });
for (let len = 1; len <= 12; len++)
  add({ t: array(6, () => Number('9'.repeat(len))) });

function literal(text) {
  const words = text.match(/[^]{1,72}/g) || [''];
  return words.map((word) => JSON.stringify(word)).join('\n     ');
}

console.log(`/* Maps, and what util.inspect of Node ${process.version} makes of them; see inspect_cases.js. */
#ifndef WORKER_INSPECT_CASES_H
#define WORKER_INSPECT_CASES_H

/* clang-format off */
static const struct { const char *map, *text; } inspect_cases[] = {`);
for (const [map, text] of cases)
  console.log(`    {${literal(map)},\n     ${literal(text)}},`);
console.log(`};

#endif`);
