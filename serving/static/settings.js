// A slider in place of the list of targets: shows at once what each of them promises, as the page's own table says it.
"use strict";

const table = document.getElementById("semua-target");
const list = document.getElementById("target");
if (table && list) {
  const rows = [...table.querySelectorAll("tr[data-target]")];
  const slider = document.createElement("input");
  const told = document.createElement("output");
  slider.type = "range";
  slider.id = "geser-target";
  slider.min = "0";
  slider.max = String(rows.length - 1);
  slider.step = "1";
  slider.value = String(list.selectedIndex);
  told.htmlFor = "geser-target";
  list.form.querySelector("label").htmlFor = "geser-target";
  list.form.querySelector("button").hidden = true;
  list.hidden = true;
  list.after(slider, told);
  list.form.addEventListener("submit", (event) => event.preventDefault());

  const show = () => {
    const row = rows[Number(slider.value)];
    const [name, , , words] = [...row.cells].map((cell) => cell.textContent);
    list.selectedIndex = Number(slider.value);
    told.value = name;
    slider.setAttribute("aria-valuetext", name);
    document.getElementById("janji").textContent = words;
    document.getElementById("target-dipakai").value = row.dataset.target;
    document.getElementById("nama-target").textContent = name;
    const [line, point] = [document.getElementById("garis-target"), document.getElementById("titik-target")];
    if (line && point) {
      line.setAttribute("y1", row.dataset.line);
      line.setAttribute("y2", row.dataset.line);
      point.classList.toggle("gone", !row.dataset.x);
      point.setAttribute("cx", row.dataset.x || "0");
      point.setAttribute("cy", row.dataset.y || "0");
    }
  };
  slider.addEventListener("input", show);
  show();
}
