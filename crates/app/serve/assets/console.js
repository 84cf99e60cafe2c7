// Brings pages up to date as things happen. Everything works without it: it only fetches the page
// that is open once more and exchanges the parts marked as live.
"use strict";

(() => {
  const PAUSE = 700;
  const announcer = document.getElementById("announcer");
  const state = document.getElementById("live-state");
  let waiting = false;
  let running = false;

  const isBeingWrittenIn = (region) => {
    const active = document.activeElement;
    return region.contains(active) && (active.matches("input, select, textarea") || active.closest("form") !== null);
  };

  const exchange = (region, fresh) => {
    if (isBeingWrittenIn(region) || region.innerHTML === fresh.innerHTML) return;
    const open = new Set([...region.querySelectorAll("details[open][id]")].map((details) => details.id));
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    region.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus();
  };

  const refresh = async () => {
    if (running) return;
    running = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { accept: "text/html" } });
      if (answer.redirected) {
        location.assign(answer.url);
        return;
      }
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const region of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(region.id);
        if (fresh) exchange(region, fresh);
      }
    } catch {
      // The next message tries again; the line below the title says that the connection is lost.
    } finally {
      running = false;
    }
  };

  const refreshSoon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      refresh();
    }, PAUSE);
  };

  const say = (text) => {
    if (announcer) announcer.textContent = text;
  };

  const listen = () => {
    const source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => {
      if (state) state.textContent = "Live";
    });
    source.addEventListener("error", () => {
      if (state) state.textContent = "Not live: reload the page to see what is new";
    });
    source.addEventListener("event", refreshSoon);
    source.addEventListener("reload", refreshSoon);
    source.addEventListener("incident", (message) => {
      const incident = JSON.parse(message.data);
      say(`Incident, severity ${incident.severity}: ${incident.title}. State: ${incident.state}.`);
      refreshSoon();
    });
    return source;
  };

  if (document.querySelector("[data-live]")) {
    let source = listen();
    // A browser gives all tabs of one address six connections together; a hidden tab needs none.
    document.addEventListener("visibilitychange", () => {
      source.close();
      if (document.hidden) return;
      source = listen();
      refreshSoon();
    });
    // Charts move with time even when nothing happens.
    if (document.querySelector("[data-live-clock]")) {
      setInterval(() => {
        if (!document.hidden) refreshSoon();
      }, 5000);
    }
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(field.value);
        say("Copied.");
        button.textContent = "Copied";
      } catch {
        field.select();
        say("Press Control and C to copy.");
      }
    });
  }
})();
