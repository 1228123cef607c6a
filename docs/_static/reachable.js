// What scrolls by itself can be scrolled with the keyboard: it takes the focus, and has a name.
(() => {
  const names = [
    [".table-wrapper", "Table"],
    [".diagram", "Diagram"],
    [".highlight-text pre", "Output"],
    [".highlight pre", "Code"],
  ];

  function look() {
    for (const [selector, name] of names) {
      for (const element of document.querySelectorAll(selector)) {
        const scrolls = element.scrollWidth > element.clientWidth;
        if (scrolls && !element.hasAttribute("tabindex")) {
          element.setAttribute("tabindex", "0");
          element.setAttribute("role", "group");
          element.setAttribute("aria-label", name);
        } else if (!scrolls && element.hasAttribute("tabindex")) {
          for (const each of ["tabindex", "role", "aria-label"]) element.removeAttribute(each);
        }
      }
    }
  }

  document.addEventListener("DOMContentLoaded", look);
  window.addEventListener("resize", look);
})();
