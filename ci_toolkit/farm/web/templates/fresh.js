"use strict";
(() => {
  const again = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.pathname, { cache: "no-store" });
        if (answer.ok) {
          const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
          const old = document.getElementById("main");
          if (fresh && !old.contains(document.activeElement)) old.replaceWith(document.adoptNode(fresh));
        }
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // what fetch throws when nobody answers
      }
    }
    setTimeout(again, 5000);
  };
  setTimeout(again, 5000);
})();
