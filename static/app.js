// Makes the pages quicker. Everything works without it: each module takes what the server made and
// adds to it. What a fresh list needs is done again when one is swapped in.
import { copying } from "./js/copy.js";
import { keys } from "./js/keys.js";
import { forms } from "./js/forms.js";
import { liveList } from "./js/list.js";
import { selection } from "./js/selection.js";
import { theme } from "./js/theme.js";
import { flashes } from "./js/toast.js";
import { times } from "./js/times.js";

keys();
forms();
copying();
selection();
liveList((fragment) => times(fragment));
theme();
flashes();
times(document);
