// Gives a name to buttons that the theme draws as an icon alone, for those who listen to a page.
window.addEventListener("load", () => {
  for (const button of document.querySelectorAll("button.copybtn")) button.setAttribute("aria-label", "Copy this code");
});
