// The way in: user and password, then the live page.

import { Refused, request } from "./api.js";
import { languageChoice } from "./shell.js";
import { fill, words } from "./words.js";

const form = document.getElementById("login");
const user = document.getElementById("user");
const password = document.getElementById("password");
const wrong = document.getElementById("wrong");
const enter = document.getElementById("enter");

function reason(error) {
    if (!(error instanceof Refused)) return words.login.unreachable;
    if (error.status === 401) return words.login.wrong;
    if (error.status === 429) return words.login.tooMany(error.retryAfter_s ?? 60);
    return words.login.other([error.title, error.hint].filter(Boolean).join(". "));
}

async function logIn() {
    try {
        await request("POST", "/api/v1/login", { user: user.value, password: password.value });
        location.replace("/");
    } catch (error) {
        wrong.textContent = reason(error);
        password.setAttribute("aria-invalid", "true");
        password.select();
    }
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (enter.disabled) return;
    if (password.value === "") {
        wrong.textContent = words.login.empty;
        password.focus();
        return;
    }
    wrong.textContent = "";
    enter.disabled = true;
    enter.textContent = words.login.working;
    await logIn();
    enter.disabled = false;
    enter.textContent = words.login.button;
});

fill(document);
document.getElementById("speech").append(languageChoice());
