"""What runs inside the page while it is measured."""

from __future__ import annotations

ROW_TIMES = """() => {
  window.seen = {};
  new MutationObserver(() => {
    const now = performance.timeOrigin + performance.now();
    for (const row of document.querySelectorAll('.event-row .subject')) window.seen[row.textContent] ??= now;
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""Notes when the row of each subject is in the page first, Unix ms."""

LONG_TASKS = """() => {
  window.tasks = [];
  new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((entry) => entry.duration)))
    .observe({ type: 'longtask' });
  window.frames = 0;
  const count = () => { window.frames += 1; requestAnimationFrame(count); };
  count();
}"""
"""Collects tasks that keep the page busy for more than 50 ms (the browser's own definition), and frames."""

STREAMS = """async (number) => {
  const begin = performance.now();
  const opened = Array.from({ length: number }, () => new Promise((resolve, reject) => {
    const source = new EventSource('/v1/events/stream');
    source.addEventListener('connected', () => resolve([performance.now() - begin, source]));
    source.onerror = () => reject(new Error('a stream broke'));
  }));
  const streams = await Promise.all(opened);
  streams.forEach(([, source]) => source.close());
  return streams.map(([ms]) => ms);
}"""
"""Opens streams at once; ms until each is live."""
