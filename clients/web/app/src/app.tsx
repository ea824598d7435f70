import type { JSX } from "preact";
import { LocationProvider, Route, Router, useLocation } from "preact-iso";
import { useEffect, useRef } from "preact/hooks";

import { LANGUAGES, type Language, language } from "./language";
import { PAGES } from "./pages";
import { type Scheme, scheme } from "./scheme";
import { shared } from "./words";

/** The application: navigation beside the page. */
export function App(): JSX.Element {
  return (
    <LocationProvider>
      <a class="skip" href="#page">
        {shared("skip")}
      </a>
      <div class="shell">
        <Navigation />
        <main id="page" tabIndex={-1}>
          <Router>
            {PAGES.map((page) => (
              <Route key={page.path} path={page.path} component={page.component} />
            ))}
            <Route default component={Missing} />
          </Router>
        </main>
      </div>
    </LocationProvider>
  );
}

function Navigation(): JSX.Element {
  const { path } = useLocation();
  const current = PAGES.find((page) => page.path === path);
  const title = current ? `${current.title()} · Vidence` : "Vidence";
  const places = useRef<HTMLDivElement>(null);
  useEffect(() => {
    document.title = title;
    const row = places.current;
    if (row === null) return;
    // Where the places stand in one line that scrolls, the one that is shown is in view, however wide the window becomes.
    const watch = new ResizeObserver(() => {
      const place = row.querySelector<HTMLElement>("[aria-current]");
      if (place) row.scrollLeft = place.offsetLeft - (row.clientWidth - place.clientWidth) / 2;
    });
    watch.observe(row);
    return () => {
      watch.disconnect();
    };
  }, [title]);
  return (
    <nav aria-label="Vidence">
      <span class="brand">
        <img src="/icon.svg" alt="" width="24" height="24" />
        Vidence
      </span>
      <div class="places" ref={places}>
        {PAGES.map((page) => (
          <a key={page.path} href={page.path} aria-current={page === current ? "page" : undefined}>
            {page.title()}
          </a>
        ))}
      </div>
      <footer>
        <LanguageChoice />
        <SchemeChoice />
      </footer>
    </nav>
  );
}

function LanguageChoice(): JSX.Element {
  return (
    <select
      aria-label={shared("language")}
      value={language.value}
      onChange={(event) => (language.value = event.currentTarget.value as Language)}
    >
      {Object.entries(LANGUAGES).map(([tag, name]) => (
        <option key={tag} value={tag} lang={tag}>
          {name}
        </option>
      ))}
    </select>
  );
}

function SchemeChoice(): JSX.Element {
  return (
    <select
      aria-label={shared("scheme")}
      value={scheme.value}
      onChange={(event) => (scheme.value = event.currentTarget.value as Scheme)}
    >
      {(["system", "light", "dark"] as const).map((name) => (
        <option key={name} value={name}>
          {shared(`scheme.${name}`)}
        </option>
      ))}
    </select>
  );
}

function Missing(): JSX.Element {
  return <p>{shared("missing")}</p>;
}
