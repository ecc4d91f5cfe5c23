// What on a page has less contrast than WCAG 2.2 AA asks for: texts (1.4.3), and the colours of
// lines and borders against the cards they lie on (1.4.11).
() => {
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = (rgb) =>
    rgb.slice(0, 3).reduce((sum, v, i) => sum + linear(v / 255) * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement)
      layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const bad = [];
  let texts = 0;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || ["SCRIPT", "NOSCRIPT"].includes(element.tagName)) continue;
    if (!element.getClientRects().length || element.closest(".unseen, .skip, .bar")) continue;
    const style = getComputedStyle(element);
    const paint = parse(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const back = ground(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (Number(style.fontWeight) >= 700 && size >= 18.66);
    const found = ratio(over(paint, back), back);
    texts += 1;
    if (found < (large ? 3 : 4.5))
      bad.push(`${element.outerHTML.slice(0, 80)} ${found.toFixed(2)}`);
  }
  const names = [...Array(10).keys()].map((i) => `--s${i}`);
  const sample = document.querySelector(".card").appendChild(document.createElement("i"));
  for (const name of [...names, "--best", "--worst", "--edge", "--accent"]) {
    sample.style.color = `var(${name})`;
    const found = ratio(parse(getComputedStyle(sample).color), ground(sample));
    if (found < 3) bad.push(`${name} ${found.toFixed(2)}`);
  }
  sample.remove();
  return { bad, texts };
}
