// Shows what a link to a term, an equation, a figure or a work leads to, while it is pointed at or has the focus.
(() => {
  const box = document.createElement("div");
  box.id = "preview";
  box.className = "preview";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  let from = null;
  let leaving = 0;

  const target = (link) => {
    const href = link.getAttribute("href") || "";
    if (!/^#(equation-|fig-)/.test(href)) return null;
    return document.getElementById(decodeURIComponent(href.slice(1)));
  };

  const shows = (node) => {
    const link = node instanceof Element ? node.closest("article a[href]") : null;
    if (!link || link.classList.contains("headerlink")) return null;
    return link.dataset.preview || target(link) ? link : null;
  };

  const fill = (link) => {
    box.replaceChildren();
    if (link.dataset.preview) {
      box.textContent = link.dataset.preview;
      return;
    }
    const copy = target(link).cloneNode(true);
    for (const node of [copy, ...copy.querySelectorAll("[id]")]) if (!node.closest("svg")) node.removeAttribute("id");
    for (const node of copy.querySelectorAll("a, button, script")) node.remove();
    box.append(copy);
  };

  const place = (link) => {
    const at = link.getBoundingClientRect();
    const width = Math.min(box.querySelector("figure, .math") ? 620 : 360, document.documentElement.clientWidth - 16);
    box.style.width = `${width}px`;
    box.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8))}px`;
    const above = at.bottom + box.offsetHeight + 8 > window.innerHeight && at.top > box.offsetHeight + 8;
    box.style.top = `${above ? at.top - box.offsetHeight - 6 : at.bottom + 6}px`;
  };

  const show = (link) => {
    clearTimeout(leaving);
    if (link === from) return;
    hide();
    from = link;
    fill(link);
    box.hidden = false;
    link.setAttribute("aria-describedby", box.id);
    place(link);
  };

  const hide = () => {
    clearTimeout(leaving);
    if (from) from.removeAttribute("aria-describedby");
    from = null;
    box.hidden = true;
  };

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    if (box.contains(event.target)) {
      clearTimeout(leaving);
      return;
    }
    const link = shows(event.target);
    if (link) show(link);
    else if (from && from !== document.activeElement) {
      clearTimeout(leaving);
      leaving = setTimeout(hide, 200);
    }
  });
  document.addEventListener("focusin", (event) => {
    const link = shows(event.target);
    if (link) show(link);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  document.addEventListener("scroll", hide, { passive: true });
  document.addEventListener("DOMContentLoaded", () => document.body.append(box));
})();
