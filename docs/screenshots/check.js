// Says what is wrong with the page as it is laid out: a list of sentences.
(() => {
  const faults = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) {
    const out = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => `${e.tagName.toLowerCase()}.${e.className}`);
    faults.push(`${wide} pixels wide in a window of ${innerWidth}: ${out.slice(0, 5).join(", ")}`);
  }
  for (const e of performance.getEntriesByType("resource")) {
    if (!e.name.endsWith("/favicon.ico") && !e.name.startsWith(`${location.origin}/assets/`)) faults.push(`it fetched ${e.name}`);
  }
  if (!document.title) faults.push("no title");
  if (!document.documentElement.lang) faults.push("no language");
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  const nav = document.querySelectorAll("header .nav a");
  if (new Set([...nav].filter((e) => e.getClientRects().length).map((e) => Math.round(e.getBoundingClientRect().top))).size > 1) faults.push("the navigation has more than one line");
  for (const e of document.querySelectorAll("a, button")) {
    const box = e.getBoundingClientRect();
    if (!e.getClientRects().length || !e.matches(".btn") && e.closest("p")) continue; // not there at this width, or inside a sentence
    const least = e.matches("button, .btn") && !e.matches(".tiny, .staff *") ? 44 : 24; // WCAG 2.5.5 for buttons, 2.5.8 for links in lists and text
    if (box.height < least) faults.push(`“${e.textContent.trim()}” is ${box.height} pixels high; fingers need ${least}`);
  }

  // Contrast after WCAG 2: text against the nearest opaque ground.
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const parse = (c) => { // any colour of CSS, as red, green, blue and alpha
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = c;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => {
    const f = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  for (let n; (n = walk.nextNode()); ) {
    const e = n.parentElement;
    if (!n.data.trim() || seen.has(e) || !e.getClientRects().length || e.closest(".hide")) continue;
    seen.add(e);
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(style.color)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`“${n.data.trim().slice(0, 40)}” has a contrast of ${ratio.toFixed(2)}; eyes need 4.5`);
    if (parseFloat(style.fontSize) < 12) faults.push(`“${n.data.trim().slice(0, 40)}” is set in ${style.fontSize}`);
  }
  return faults;
})()
