// What a finger cannot hit or a keyboard does not see: targets below 24 x 24 px (WCAG 2.2, 2.5.8),
// links inside a sentence left out, as there.
() => {
  const targets = "a[href], button, summary, select, input:not([type=checkbox]), label:has(input[type=checkbox])";
  return [...document.querySelectorAll(targets)]
    .filter((element) => element.checkVisibility() && !element.closest(".skip, p, label:not(:has(input[type=checkbox]))"))
    .map((element) => [element, element.getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24)
    .map(([element, box]) => `${element.outerHTML.slice(0, 80)} ${box.width} x ${box.height}`);
}
