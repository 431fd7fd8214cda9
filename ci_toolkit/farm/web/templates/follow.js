"use strict";
(() => {
  const log = document.getElementById("log-text");
  if (!log || log.dataset.complete === "true") return;
  const state = document.getElementById("log-state");
  const atEnd = () => window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 150;
  const look = async () => {
    let wait = 500;
    try {
      const answer = await fetch(`${log.dataset.source}?from=${log.dataset.next}`, { cache: "no-store" });
      if (!answer.ok) throw new TypeError(`${answer.status}`);
      const lines = await answer.text();
      const stays = atEnd();
      // Markup of our own server, in which all of the log is escaped; the page's policy lets nothing in it run.
      if (lines) log.insertAdjacentHTML("beforeend", lines);
      if (lines && stays) document.getElementById("log-end").scrollIntoView();
      if (lines) wait = 200;
      log.dataset.next = answer.headers.get("Log-Next");
      state.textContent = "live";
      if (answer.headers.get("Log-Complete") === "true") {
        state.textContent = "complete";
        location.reload();
        return;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what fetch throws when nobody answers
      state.textContent = "the farm does not answer; asking again";
      wait = 3000;
    }
    setTimeout(look, document.hidden ? 3000 : wait);
  };
  look();
})();
