// Dark or light: the system's choice until the button makes another. A classic script, so that it
// runs before the first paint.
"use strict"
{
  const root = document.documentElement
  const stored = () => { try { return localStorage.getItem("auricle.theme") } catch { return null } }
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches
  const tell = () => document.dispatchEvent(new Event("themechange"))
  if (["dark", "light"].includes(stored())) root.dataset.theme = stored()
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell)
  addEventListener("DOMContentLoaded", () => {
    document.querySelector("#theme").addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark"
      try { localStorage.setItem("auricle.theme", root.dataset.theme) } catch { /* not remembered */ }
      tell()
    })
  })
}
