// What the pages do: light and dark, the search, the navigation, and the filters of the matrix. Works on pages that were opened
// from files: nothing is fetched, the index of the search is a script.
(function () {
    "use strict";

    // A page that was opened from a file may not be allowed to keep anything.
    function kept(name, value) {
        try {
            if (value !== undefined) {
                localStorage.setItem(name, value);
            }
            return localStorage.getItem(name);
        } catch (denied) {
            return null;
        }
    }

    // Before anything is drawn, so that a dark page does not begin light.
    const system = matchMedia("(prefers-color-scheme: dark)");
    function showTheme() {
        document.documentElement.dataset.theme = kept("exomem-theme") || (system.matches ? "dark" : "light");
    }
    showTheme();
    system.addEventListener("change", showTheme);

    const MOST = 40;

    function ready() {
        theme();
        navigation();
        search();
        matrix();
    }

    function theme() {
        document.getElementById("theme").addEventListener("click", function () {
            const other = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
            // Whoever chooses what the system says anyway follows the system again.
            kept("exomem-theme", other === (system.matches ? "dark" : "light") ? "" : other);
            document.documentElement.dataset.theme = other;
        });
    }

    function navigation() {
        const menu = document.getElementById("menu");
        const nav = document.getElementById("navigation");
        function open(yes) {
            nav.classList.toggle("open", yes);
            menu.setAttribute("aria-expanded", String(yes));
        }
        menu.addEventListener("click", () => open(!nav.classList.contains("open")));
        nav.addEventListener("click", event => {
            if (event.target.closest("a")) {
                open(false);
            }
        });
        nav.addEventListener("keydown", event => {
            if (event.key === "Escape") {
                open(false);
                menu.focus();
            }
        });

        const links = new Map();
        for (const link of nav.querySelectorAll(".sections a")) {
            const part = document.getElementById(decodeURIComponent(link.getAttribute("href").slice(1)));
            if (part) {
                links.set(part, link);
            }
        }
        const current = nav.querySelector("[aria-current]");
        if (current && current.offsetTop > nav.clientHeight) {
            nav.scrollTop = current.offsetTop - 60;
        }
        let here = null;
        function follow() {
            let last = null;
            for (const part of links.keys()) {
                if (part.getBoundingClientRect().top > 140) {
                    break;
                }
                last = part;
            }
            const link = links.get(last) || null;
            if (link !== here) {
                if (here) {
                    here.classList.remove("here");
                }
                here = link;
                if (link) {
                    link.classList.add("here");
                    const top = link.offsetTop - nav.scrollTop;
                    if (top < 40 || top > nav.clientHeight - 60) {
                        nav.scrollTop = link.offsetTop - nav.clientHeight / 2;
                    }
                }
            }
        }
        if (links.size > 0) {
            let waits = false;
            addEventListener("scroll", () => {
                if (!waits) {
                    waits = true;
                    requestAnimationFrame(() => {
                        waits = false;
                        follow();
                    });
                }
            }, {passive: true});
            follow();
        }
    }

    // ---- search ----

    function search() {
        const query = document.getElementById("query");
        const list = document.getElementById("found");
        let entries = null;
        let chosen = -1;

        function load(then) {
            if (entries) {
                then();
                return;
            }
            const script = document.createElement("script");
            script.src = "search-index.js";
            script.onload = () => {
                entries = window.exomemReference.map(each => ({
                    href: each[0], label: each[1], kind: each[2], text: each[3],
                    id: each[1].toLowerCase(), all: each.slice(1).join("\n").toLowerCase(),
                }));
                then();
            };
            document.head.append(script);
        }

        function find() {
            const wanted = query.value.trim().toLowerCase();
            if (!wanted) {
                close();
                return;
            }
            const words = wanted.split(/\s+/);
            const found = [];
            for (const entry of entries) {
                const rank = rankOf(entry, wanted, words);
                if (rank > 0) {
                    found.push([rank, found.length, entry]);
                }
            }
            found.sort((one, other) => other[0] - one[0] || one[1] - other[1]);
            show(found, words);
        }

        // An id before what begins with it, before a heading, before words of the text.
        function rankOf(entry, wanted, words) {
            if (entry.id === wanted) {
                return 100;
            }
            if (entry.id.startsWith(wanted)) {
                return /[.-]/.test(entry.id.charAt(wanted.length)) ? 90 : 80;
            }
            let rank = 0;
            for (const word of words) {
                const at = entry.all.indexOf(word);
                if (at < 0) {
                    return 0;
                }
                const whole = at === 0 || !/[\w]/.test(entry.all.charAt(at - 1));
                rank += entry.id.includes(word) ? 10 : whole ? 3 : 1;
            }
            return rank + (entry.all.includes(wanted) ? 5 : 0);
        }

        function show(found, words) {
            list.replaceChildren();
            chosen = -1;
            found.slice(0, MOST).forEach((each, i) => {
                const entry = each[2];
                const link = document.createElement("a");
                link.href = entry.href;
                link.id = "found-" + i;
                link.setAttribute("role", "option");
                link.tabIndex = -1;
                const label = document.createElement("b");
                marked(label, entry.label, words);
                const kind = document.createElement("small");
                kind.textContent = entry.kind;
                const text = document.createElement("span");
                marked(text, around(entry.text, words), words);
                link.append(label, kind, text);
                list.append(link);
            });
            const note = document.createElement("p");
            note.textContent = found.length === 0 ? "No results."
                : found.length > MOST ? "The best " + MOST + " of " + found.length + "." : "";
            if (note.textContent) {
                list.append(note);
            }
            list.hidden = false;
            list.scrollTop = 0;
            query.setAttribute("aria-expanded", "true");
            choose(found.length > 0 ? 0 : -1);
        }

        // The part of a text in which the first word that was looked for stands.
        function around(text, words) {
            const lower = text.toLowerCase();
            const first = words.map(word => lower.indexOf(word)).filter(at => at >= 0).sort((a, b) => a - b)[0] || 0;
            if (first < 90) {
                return text.slice(0, 260);
            }
            const start = text.indexOf(" ", first - 60) + 1;
            return "… " + text.slice(start, start + 260);
        }

        function marked(element, text, words) {
            const lower = text.toLowerCase();
            let at = 0;
            while (at < text.length) {
                let next = -1;
                let length = 0;
                for (const word of words) {
                    const place = lower.indexOf(word, at);
                    if (place >= 0 && (next < 0 || place < next || place === next && word.length > length)) {
                        next = place;
                        length = word.length;
                    }
                }
                if (next < 0) {
                    break;
                }
                const mark = document.createElement("mark");
                mark.textContent = text.slice(next, next + length);
                element.append(text.slice(at, next), mark);
                at = next + length;
            }
            element.append(text.slice(at));
        }

        function choose(number) {
            const links = list.querySelectorAll("a");
            if (chosen >= 0 && links[chosen]) {
                links[chosen].removeAttribute("aria-selected");
            }
            chosen = number;
            if (chosen >= 0) {
                links[chosen].setAttribute("aria-selected", "true");
                links[chosen].scrollIntoView({block: "nearest"});
                query.setAttribute("aria-activedescendant", links[chosen].id);
            } else {
                query.removeAttribute("aria-activedescendant");
            }
        }

        function close() {
            list.hidden = true;
            query.setAttribute("aria-expanded", "false");
            query.removeAttribute("aria-activedescendant");
        }

        query.addEventListener("focus", () => load(() => {
            if (query.value) {
                find();
            }
        }));
        query.addEventListener("input", () => load(find));
        query.addEventListener("keydown", event => {
            const count = list.querySelectorAll("a").length;
            if (event.key === "Escape") {
                close();
                query.value = "";
                query.blur();
            } else if (!list.hidden && count > 0 && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
                event.preventDefault();
                choose((chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
            } else if (event.key === "Enter" && !list.hidden && chosen >= 0) {
                event.preventDefault();
                list.querySelectorAll("a")[chosen].click();
            }
        });
        list.addEventListener("click", event => {
            if (event.target.closest("a")) {
                close();
                query.blur();
            }
        });
        document.addEventListener("click", event => {
            if (!event.target.closest(".search")) {
                close();
            }
        });
        document.addEventListener("keydown", event => {
            const typing = event.target.closest && event.target.closest("input, select, textarea");
            if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
                event.preventDefault();
                query.focus();
                query.select();
            }
        });
        // Links such as index.html#search=poison lead to what is found.
        if (location.hash.startsWith("#search=")) {
            query.value = decodeURIComponent(location.hash.slice(8));
            query.focus();
            load(find);
        }
    }

    // ---- matrix ----

    function matrix() {
        const table = document.getElementById("matrix");
        const form = document.getElementById("filters");
        if (!table) {
            return;
        }
        form.hidden = false;
        const subjects = Array.from(table.querySelectorAll("th.subject"), each => each.textContent);
        const rows = Array.from(table.tBodies[0].rows, row => ({
            row, text: row.textContent.toLowerCase(),
            verdicts: Array.from(row.querySelectorAll("td.result"), cell => {
                const verdict = cell.querySelector(".verdict");
                return verdict ? verdict.classList[1] : "no check";
            }),
        }));
        const all = rows.length;

        function fits(each, wanted, words) {
            if (words.some(word => !each.text.includes(word))) {
                return false;
            }
            for (const name of ["document", "binds", "strength"]) {
                if (wanted.get(name) && each.row.dataset[name] !== wanted.get(name)) {
                    return false;
                }
            }
            const verdict = wanted.get("verdict");
            if (!verdict) {
                return true;
            }
            const subject = wanted.get("subject");
            return subject ? each.verdicts[subjects.indexOf(subject)] === verdict
                : verdict === "no check" ? each.verdicts.every(one => one === verdict) : each.verdicts.includes(verdict);
        }

        function filter() {
            const wanted = new FormData(form);
            const words = wanted.get("words").toLowerCase().split(/\s+/).filter(word => word);
            let shown = 0;
            for (const each of rows) {
                const fit = fits(each, wanted, words);
                each.row.hidden = !fit;
                shown += fit ? 1 : 0;
            }
            document.getElementById("shown").textContent = shown === all ? all + " requirements" : shown + " of " + all;
            const kept = new URLSearchParams(Array.from(wanted).filter(pair => pair[1]));
            history.replaceState(null, "", kept.size > 0 ? "#" + kept : location.pathname + location.search);
        }

        // The filters stand in the address, so that what is shown can be given to others.
        for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
            if (form.elements[name]) {
                form.elements[name].value = value;
            }
        }
        form.addEventListener("input", filter);
        form.addEventListener("reset", () => setTimeout(filter));
        form.addEventListener("submit", event => event.preventDefault());
        filter();
    }

    if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", ready);
    } else {
        ready();
    }
}());
