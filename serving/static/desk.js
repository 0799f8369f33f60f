/* What the desk can do more quickly with a script: keys, live counts, and letting go of a case. All of it works without. */
"use strict";
(() => {
  const form = document.getElementById("formulir");
  const sheet = document.getElementById("pintasan");
  const wanted = document.getElementById("pakai-pintasan");
  const RENEW_EVERY = 4 * 60 * 1000;
  const COUNT_EVERY = 20 * 1000;
  /* A key held down, or pressed twice, is no decision about the page that has just come. */
  const SETTLES_IN = 400;
  const DECIDES = new Set(["Enter", "j", "u"]);

  /* Letters act as keys only while nobody types, and only if the moderator wants them (WCAG 2.1.4). */
  const keysAreOn = () => localStorage.getItem("pintasan") !== "mati";
  const isTyping = (at) => at.matches("textarea, select, input:not([type=radio]):not([type=checkbox])");

  const isShown = (element) => element.closest("[hidden]") === null && element.getClientRects().length > 0;

  function act(element) {
    const details = element.closest("details");
    if (details && element.tagName !== "SUMMARY") details.open = true;
    if (!isShown(element)) return false;
    if (element.matches("input[type=radio]")) {
      element.checked = true;
      element.focus();
      element.dispatchEvent(new Event("change", { bubbles: true }));
    } else if (element.matches("input, textarea")) {
      element.focus();
    } else {
      element.click();
    }
    return true;
  }

  function step(by) {
    const links = [...document.querySelectorAll(".queue .opening")];
    if (!links.length) return false;
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + by, 0), links.length - 1)].focus();
    return true;
  }

  function openSheet() {
    if (!sheet || sheet.open) return false;
    sheet.showModal();
    return true;
  }

  function pressed(event) {
    const at = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || (sheet && sheet.open)) return false;
    if (event.key === "Escape") {
      if (isTyping(at)) { at.blur(); return true; }
      const back = document.querySelector('[data-key="Escape"]');
      return back !== null && act(back);
    }
    if (isTyping(at)) return false;
    const isTooSoon = event.repeat || performance.now() < SETTLES_IN;
    if (DECIDES.has(event.key) && isTooSoon && !at.matches("a, button, summary")) return true;
    if (event.key === "Enter" && form && !at.matches("a, button, summary")) { form.requestSubmit(document.getElementById("simpan")); return true; }
    if (event.key === "ArrowDown" && !at.matches("input")) return step(1);
    if (event.key === "ArrowUp" && !at.matches("input")) return step(-1);
    if (!keysAreOn()) return false;
    if (event.key === "?") return openSheet();
    const keyed = [...document.querySelectorAll(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)];
    if (keyed.some((element) => act(element))) return true;
    return event.key === "j" && step(1);
  }

  document.addEventListener("keydown", (event) => {
    if (pressed(event)) event.preventDefault();
  });
  document.querySelectorAll("a.help").forEach((link) => link.addEventListener("click", (event) => {
    if (openSheet()) event.preventDefault();
  }));
  if (wanted) {
    document.getElementById("pintasan-mati").hidden = false;
    wanted.checked = keysAreOn();
    wanted.addEventListener("change", () => localStorage.setItem("pintasan", wanted.checked ? "hidup" : "mati"));
  }

  /* Typing another agency chooses it. */
  document.querySelectorAll("[data-picks]").forEach((field) => field.addEventListener("input", () => {
    if (field.value) document.getElementById(field.dataset.picks).checked = true;
  }));
  if (form) form.addEventListener("change", (event) => {
    if (event.target.name !== "pilihan" || event.target.value === "lain") return;
    document.getElementById("instansi_lain").value = "";
  });

  /* A verdict is sent once, however often one presses; coming back by the browser's button, it can be sent again. */
  let isSent = false;
  let isLeaving = false;
  document.querySelectorAll("form").forEach((each) => each.addEventListener("submit", (event) => {
    if (each.method !== "post" || event.defaultPrevented) return;
    if (isSent) { event.preventDefault(); return; }
    isSent = true;
    isLeaving = each === form;
    /* Where no answer comes, the form must not stay dead. */
    setTimeout(() => { isSent = isLeaving = false; }, 10 * 1000);
  }));
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  /* Whoever is at work keeps the case; whoever leaves lets go of it. */
  if (form) {
    let isActive = true;
    let until = form.dataset.until;
    const token = (more) => new URLSearchParams({ csrf: form.elements.csrf.value, ...more });
    ["keydown", "pointerdown", "scroll"].forEach((name) => document.addEventListener(name, () => { isActive = true; }, { passive: true }));
    setInterval(() => {
      if (!isActive || document.hidden) return;
      isActive = false;
      fetch(form.dataset.renew, { method: "POST", body: token(), redirect: "error" })
        .then((answer) => answer.json())
        .then((found) => { until = found.until || until; })
        .catch(() => {});
    }, RENEW_EVERY);
    window.addEventListener("pagehide", () => {
      /* Only this page's own claim: the same case may have been opened anew already. */
      if (!isLeaving) navigator.sendBeacon(form.dataset.release, token({ sampai: until }));
    });
  }

  const counts = document.getElementById("jumlah");
  if (counts) setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(counts.dataset.address, { redirect: "error" }).catch(() => null);
    if (!answer || !answer.ok) return;
    const found = await answer.json();
    counts.querySelectorAll("[data-count]").forEach((each) => {
      each.textContent = found[each.dataset.count].toLocaleString("id-ID");
    });
  }, COUNT_EVERY);
})();
