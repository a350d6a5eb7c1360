// What the tests ask of a page of the book, in the browser that shows it.
(() => {
  const numbers = (text) => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = (rgb) =>
    rgb.slice(0, 3)
      .map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const scrolls = (node) => ["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(node).overflowX);
  const boxed = (node) => !node.matches("article, main") && (scrolls(node) || boxed(node.parentElement));
  const named = (node) => `${node.tagName} ${node.className} ${node.textContent.trim().slice(0, 60)}`;
  const shown = (query) => [...document.querySelectorAll(query)].filter((node) => node.checkVisibility());
  const paper = () => light(numbers(getComputedStyle(document.body).backgroundColor));

  // Everything on a page but the insides of drawings and formulas, which are many and cannot stick out by themselves.
  const laidOut = (node, found = []) => {
    for (const inner of node.children) {
      found.push(inner);
      if (!inner.matches("svg, mjx-container, script, style")) laidOut(inner, found);
    }
    return found;
  };

  // What sticks out of the window without a box of its own to scroll in.
  const wide = () => {
    const width = document.documentElement.clientWidth;
    const out = laidOut(document.querySelector("article") || document.querySelector("main"))
      .filter((node) => node.getBoundingClientRect().right > width + 1 && node.checkVisibility())
      .filter((node) => !boxed(node.parentElement) && !scrolls(node))
      .map(named);
    const page = document.documentElement.scrollWidth;
    return page > width ? [`the page: ${page}`, ...out] : out;
  };

  const ratio = (ink, ground) => (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);

  // The colour that most letters of a figure have; labels may have the colour of their line or stand on a patch.
  const faint = () =>
    shown(".book-figure")
      .filter((figure) => {
        const fills = [...figure.querySelectorAll("svg text")].map((node) => getComputedStyle(node).fill);
        const counts = fills.reduce((all, fill) => all.set(fill, (all.get(fill) || 0) + 1), new Map());
        const [most] = [...counts].sort((one, other) => other[1] - one[1])[0] || [];
        return most && ratio(light(numbers(most)), paper()) < 4.5;
      })
      .map((figure) => figure.id);

  // The ground below a node: colours that can be seen through are laid over what lies below them.
  const ground = (node) => {
    if (!node) return [255, 255, 255];
    const style = getComputedStyle(node);
    const [r, g, b, a = 1] = numbers(style.backgroundColor);
    if (a === 1 && !/^(transparent|rgba\(0, 0, 0, 0\))$/.test(style.backgroundColor)) return [r, g, b];
    const below = ground(node.parentElement);
    return [r, g, b].map((value, i) => a * value + (1 - a) * below[i]);
  };

  // Text that does not stand out: by 4.5 to 1, or by 3 to 1 where it is large. Axe measures the same, in minutes.
  const pale = () =>
    laidOut(document.body)
      .filter((node) => [...node.childNodes].some((inner) => inner.nodeType === 3 && inner.textContent.trim()))
      .filter((node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
      .filter((node) => !node.closest("svg, script, style, mjx-container, [aria-hidden=true], [disabled]"))
      .filter((node) => {
        const style = getComputedStyle(node);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        const below = ground(node);
        const [r, g, b, a = 1] = numbers(style.color);
        const ink = [r, g, b].map((value, i) => a * value + (1 - a) * below[i]);
        return ratio(light(ink), light(below)) < (large ? 3 : 4.5) - 0.02;
      })
      .slice(0, 8)
      .map(named);

  const code = () => {
    const open = shown(".cell_input pre");
    const tall = open.reduce((sum, node) => sum + node.getBoundingClientRect().height, 0);
    return {
      cells: open.length,
      share: tall / document.documentElement.scrollHeight,
      cut: shown(".highlight pre").filter((node) => node.scrollWidth > node.clientWidth + 1).map(named),
    };
  };

  const figures = () => ({
    unfinished: [...document.querySelectorAll("figure.book-figure")]
      .filter((figure) => !/^Figure \d+$/.test(figure.querySelector(".number")?.textContent || "")
        || figure.querySelector("figcaption").textContent.length < 30
        || !figure.querySelector("[role=img]")?.getAttribute("aria-label")
        || !figure.querySelector(".answer")?.textContent)
      .map((figure) => figure.id),
    images: [...document.querySelectorAll(".cell_output img")].map((image) => image.alt.slice(0, 60)),
  });

  const tables = () => {
    const isNumber = (text) => /^[-−+]?[\d.,]+\s?%?$/.test(text.trim());
    return {
      raw: [...document.querySelectorAll("article table.dataframe:has(td ~ td)")].map((table) => table.textContent.trim().slice(0, 60)),
      nan: [...document.querySelectorAll("article td")].filter((cell) => /^(NaN|nan|None)$/.test(cell.textContent.trim())).map(named),
      right: [...document.querySelectorAll(".book-table tbody td")]
        .filter((cell) => getComputedStyle(cell).textAlign === "right" && /[a-z]{4} [a-z]/i.test(cell.textContent) && !isNumber(cell.textContent))
        .map(named),
    };
  };

  window.bookLook = {
    all: () => ({
      wide: wide(),
      faint: faint(),
      pale: pale(),
      brightness: paper(),
      findings: document.querySelector(".findings")?.getBoundingClientRect().top + window.scrollY || 0,
      ...code(),
      ...figures(),
      ...tables(),
    }),
    formulas: async () => {
      if (window.MathJax?.startup) await window.MathJax.startup.promise;
      const drawn = [...document.querySelectorAll(".math")];
      return {
        plain: drawn.filter((node) => !node.querySelector("mjx-container")).map((node) => node.textContent),
        wrong: [...document.querySelectorAll("mjx-merror, [data-mjx-error]")].map((node) => node.textContent),
      };
    },
    // Drawings and formulas are hidden from axe, which is slow with them: their words stand beside them.
    barriers: async (contrast) => {
      for (const node of document.querySelectorAll("article svg, article mjx-container")) node.remove();
      const found = await axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21aa"],
        rules: { "color-contrast": { enabled: contrast } },
        preload: false, // it would ask for style sheets of its own
        resultTypes: ["violations"],
        elementRef: false,
      });
      return found.violations
        .filter((each) => ["serious", "critical"].includes(each.impact))
        .map((each) => `${each.id}: ${each.nodes.slice(0, 4).map((node) => node.html.slice(0, 120)).join(" | ")}`);
    },
  };
})();
