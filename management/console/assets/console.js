// What pages do when scripts run: times in the reader's zone, streams that go on where they broke off, the log that waits
// while somebody reads. Without it everything is there, and times are in UTC.
(function () {
  "use strict";

  document.documentElement.classList.add("scripted");

  // On a narrow screen the navigation is a line that is wider than the screen. Not by scrollIntoView: from there on Tab would
  // go on, and not from the top of the page.
  var here = document.querySelector("nav [aria-current]");
  var line = here && here.closest("nav");
  if (line && line.scrollWidth > line.clientWidth) {
    var middle = here.getBoundingClientRect().left - line.getBoundingClientRect().left + here.offsetWidth / 2;
    line.scrollLeft += middle - line.clientWidth / 2;
  }

  var language = document.documentElement.lang || undefined;
  var clock = new Intl.DateTimeFormat(language, {
    year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit",
    timeZoneName: "short",
  });

  function localTimes(root) {
    var found = Array.from(root.querySelectorAll("time[datetime]:not([data-local])"));
    if (root.matches && root.matches("time[datetime]:not([data-local])")) {
      found.push(root);
    }
    found.forEach(function (time) {
      var at = new Date(time.dateTime);
      if (!isNaN(at)) {
        time.textContent = clock.format(at);
        time.dataset.local = "yes";
      }
    });
  }

  // The last event that this page has. A browser says it by itself when its connection breaks; a stream that was refused for a
  // while is opened anew, and there it has to be said.
  var last = null;

  function state(word) {
    var shown = document.getElementById("stream-state");
    if (shown && shown.textContent !== shown.dataset[word]) {
      shown.textContent = shown.dataset[word];
      shown.className = word;
    }
  }

  if (window.htmx) {
    window.htmx.createEventSource = function (url) {
      if (last) {
        var at = last.lastIndexOf(".");
        var address = new URL(url, location.href);
        address.searchParams.set("have", last.slice(0, at));
        address.searchParams.set("seq", last.slice(at + 1));
        url = address.pathname + address.search;
      }
      return new EventSource(url);
    };
  }

  document.addEventListener("htmx:sseOpen", function () { state("live"); });
  document.addEventListener("htmx:sseError", function () { state("lost"); });

  // Lines come in order; one that is there already came by two ways.
  document.addEventListener("htmx:sseBeforeMessage", function (event) {
    var message = event.detail;
    if (!message || message.type !== "event") {
      return;
    }
    var log = document.getElementById("log");
    var number = Number(message.lastEventId.slice(message.lastEventId.lastIndexOf(".") + 1));
    if (log && number <= Number(log.dataset.last)) {
      event.preventDefault();
    } else if (log) {
      log.dataset.last = String(number);
    }
  });

  document.addEventListener("htmx:sseMessage", function (event) {
    if (event.detail && event.detail.lastEventId) {
      last = event.detail.lastEventId;
    }
    localTimes(event.target);
    if (event.detail && event.detail.type === "event") {
      follow();
    }
  });

  function paused() {
    var button = document.getElementById("log-pause");
    return !button || button.getAttribute("aria-pressed") === "true";
  }

  function follow() {
    var box = document.getElementById("log-box");
    if (box && !paused()) {
      box.scrollTop = box.scrollHeight;
    }
  }

  document.addEventListener("click", function (event) {
    var button = event.target.closest && event.target.closest("#log-pause");
    if (!button) {
      return;
    }
    var now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    var box = document.getElementById("log-box");
    if (box) {
      box.setAttribute("aria-live", now ? "off" : "polite");
    }
    follow();
  });

  localTimes(document);
  follow();
})();
