package org.exomem.reference.html;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.commonmark.Extension;
import org.commonmark.ext.gfm.tables.TableBlock;
import org.commonmark.ext.gfm.tables.TableHead;
import org.commonmark.ext.gfm.tables.TableRow;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Code;
import org.commonmark.node.CustomBlock;
import org.commonmark.node.CustomNode;
import org.commonmark.node.FencedCodeBlock;
import org.commonmark.node.Heading;
import org.commonmark.node.HtmlBlock;
import org.commonmark.node.HtmlInline;
import org.commonmark.node.Link;
import org.commonmark.node.Node;
import org.commonmark.node.Paragraph;
import org.commonmark.node.SoftLineBreak;
import org.commonmark.node.StrongEmphasis;
import org.commonmark.node.Text;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;

/**
 * A chapter that becomes a page. A rule is defined by its id in the first cell of a row, or in bold at the beginning of
 * a paragraph, a list item or a cell, as {@code spec/README.md} says. Anywhere else an id is a reference.
 */
final class ChapterPage {
    private static final Pattern RULE = Pattern.compile("[A-Z]{2,4}(-[A-Z]+)*-[0-9]+");
    private static final String NOT_OBSERVABLE = "Not observable";
    private static final List<Extension> EXTENSIONS = List.of(TablesExtension.create());
    private static final Parser PARSER = Parser.builder().extensions(EXTENSIONS).build();

    private final ChapterText text;
    private final Node document;
    /** The node that defines a rule: a row, or the bold id. */
    private final IdentityHashMap<Node, String> definitions = new IdentityHashMap<>();

    /** The rows that name the party that their rule binds. */
    private final Set<Node> sayingParty = Collections.newSetFromMap(new IdentityHashMap<>());

    /** The cells that contain the text of a rule. */
    private final Set<Node> texts = Collections.newSetFromMap(new IdentityHashMap<>());

    private final IdentityHashMap<Node, String> anchors = new IdentityHashMap<>();
    private final List<String> rules = new ArrayList<>();
    private final List<Page.Section> sections = new ArrayList<>();
    private String title = "";

    ChapterPage(ChapterText text) {
        this.text = text;
        document = PARSER.parse(text.markdown());
        document.accept(new Finder());
    }

    String title() {
        return title;
    }

    /** The chapter's file. */
    String file() {
        return text.file();
    }

    /** The ids of its rules, in their order. */
    List<String> rules() {
        return List.copyOf(rules);
    }

    String name() {
        return text.page();
    }

    /**
     * Renders the page. Called once.
     *
     * @param titles of all chapters, by their files
     * @param appendix HTML after the chapter; may be empty
     */
    Page render(Addresses addresses, Facts facts, Map<String, String> titles, SearchIndex index, String appendix) {
        document.accept(new Indexer(index));
        document.accept(new Writer(addresses, facts, titles));
        HtmlRenderer renderer = HtmlRenderer.builder()
                .extensions(EXTENSIONS)
                .attributeProviderFactory(context -> (node, tag, attributes) -> {
                    String anchor = anchors.get(node);
                    if (anchor != null && (node instanceof Heading || node instanceof TableRow)) {
                        attributes.put("id", anchor);
                    }
                    if (definitions.containsKey(node)) {
                        attributes.put("class", "rule");
                    }
                    if (node instanceof TableBlock table && isOfRules(table)) {
                        attributes.put("class", "rules");
                    }
                    if (texts.contains(node)) {
                        attributes.put("class", "text");
                    }
                })
                .build();
        return new Page(name(), title, Page.Kind.CHAPTER, renderer.render(document) + appendix, sections);
    }

    private boolean isOfRules(TableBlock table) {
        Node body = table.getLastChild();
        return body.getFirstChild() != null && definitions.containsKey(body.getFirstChild());
    }

    /** The words of a node, without markup. */
    private static String plain(Node node) {
        Words words = new Words();
        node.accept(words);
        return words.text.toString().strip();
    }

    private static List<Node> children(Node node) {
        List<Node> children = new ArrayList<>();
        for (Node child = node.getFirstChild(); child != null; child = child.getNext()) {
            children.add(child);
        }
        return children;
    }

    /** Collects words. */
    private static final class Words extends AbstractVisitor {
        private final StringBuilder text = new StringBuilder();

        @Override
        public void visit(Text words) {
            text.append(words.getLiteral());
        }

        @Override
        public void visit(Code code) {
            text.append(code.getLiteral());
        }

        @Override
        public void visit(FencedCodeBlock block) {
            text.append(block.getLiteral());
        }

        @Override
        public void visit(SoftLineBreak end) {
            text.append(' ');
        }

        @Override
        public void visit(Paragraph paragraph) {
            visitChildren(paragraph);
            text.append(' ');
        }

        @Override
        public void visit(CustomNode node) {
            visitChildren(node);
            text.append(' ');
        }
    }

    /** Finds headings and the nodes that define rules. */
    private final class Finder extends AbstractVisitor {
        private final Set<String> slugs = new HashSet<>();
        private String section = "";

        @Override
        public void visit(Heading heading) {
            section = plain(heading);
            if (heading.getLevel() == 1) {
                title = section;
                return;
            }
            String slug = Html.slug(section);
            for (int i = 1; !slugs.add(slug); i++) {
                slug = Html.slug(section) + "-" + i;
            }
            anchors.put(heading, slug);
            sections.add(new Page.Section(slug, section, heading.getLevel()));
        }

        @Override
        public void visit(CustomNode node) {
            if (node instanceof TableRow && !(node.getParent() instanceof TableHead)) {
                define(node, plain(node.getFirstChild()));
                Node head = node.getParent().getParent().getFirstChild().getFirstChild();
                if (children(head).stream().anyMatch(cell -> plain(cell).equals("binds"))) {
                    sayingParty.add(node);
                }
            }
            visitChildren(node);
        }

        @Override
        public void visit(StrongEmphasis bold) {
            if (bold.getPrevious() == null) {
                define(bold, plain(bold));
            }
            visitChildren(bold);
        }

        private void define(Node node, String id) {
            if (!section.equals(NOT_OBSERVABLE) && RULE.matcher(id).matches() && !rules.contains(id)) {
                rules.add(id);
                definitions.put(node, id);
                anchors.put(node, id);
            }
        }
    }

    /** Adds sections and rules to the search index. */
    private final class Indexer extends AbstractVisitor {
        private final SearchIndex index;
        private Page.Section section = new Page.Section("", "", 1);
        private final StringBuilder prose = new StringBuilder();

        Indexer(SearchIndex index) {
            this.index = index;
        }

        @Override
        public void visit(org.commonmark.node.Document whole) {
            int next = 0;
            for (Node block : children(whole)) {
                if (block instanceof Heading heading) {
                    if (heading.getLevel() > 1) {
                        end();
                        section = sections.get(next++);
                    }
                } else {
                    block.accept(this);
                    if (!(block instanceof TableBlock table && isOfRules(table))) {
                        prose.append(plain(block)).append(' ');
                    }
                }
            }
            end();
        }

        private void end() {
            String label = section.title().isEmpty() ? title : section.title();
            String href = section.anchor().isEmpty() ? name() : name() + "#" + section.anchor();
            index.add(href, label, section.title().isEmpty() ? "chapter" : title, prose.toString(), "");
            prose.setLength(0);
        }

        @Override
        public void visit(CustomNode node) {
            String id = definitions.get(node);
            if (id != null) {
                String rule = plain(node).replaceFirst(Pattern.quote(id), "");
                index.add(name() + "#" + id, id, title, rule, "");
            }
            visitChildren(node);
        }

        @Override
        public void visit(StrongEmphasis bold) {
            String id = definitions.get(bold);
            if (id != null) {
                String rule = plain(bold.getParent()).replaceFirst(Pattern.quote(id), "");
                index.add(name() + "#" + id, id, title, rule, "");
            }
        }
    }

    /** Adds links, facts and diagrams to the text. */
    private final class Writer extends AbstractVisitor {
        private final Addresses addresses;
        private final Facts facts;

        private final Map<String, String> titles;

        Writer(Addresses addresses, Facts facts, Map<String, String> titles) {
            this.addresses = addresses;
            this.facts = facts;
            this.titles = titles;
        }

        @Override
        public void visit(Heading heading) {
            String anchor = anchors.get(heading);
            visitChildren(heading);
            if (anchor != null) {
                heading.appendChild(html("<a class=\"anchor\" href=\"#" + Html.escape(anchor)
                        + "\" aria-label=\"Link to this section\">#</a>"));
            }
        }

        @Override
        public void visit(CustomBlock block) {
            for (Node child : children(block)) {
                child.accept(this);
            }
            if (block instanceof TableBlock) {
                block.insertBefore(htmlBlock("<div class=\"scroll\">"));
                block.insertAfter(htmlBlock("</div>"));
            }
        }

        @Override
        public void visit(CustomNode node) {
            String id = definitions.get(node);
            if (id == null) {
                children(node).forEach(child -> child.accept(this));
                return;
            }
            List<Node> cells = children(node);
            Node text = longest(cells.subList(1, cells.size()));
            cells.subList(1, cells.size()).forEach(cell -> cell.accept(this));
            children(cells.getFirst()).forEach(Node::unlink);
            cells.getFirst().appendChild(html(self(id)));
            texts.add(text);
            text.appendChild(html(facts.ofRule(id, sayingParty.contains(node))));
        }

        /** The cell with the rule's text, for any heading of its column. */
        private static Node longest(List<Node> cells) {
            return cells.stream()
                    .max((one, other) ->
                            Integer.compare(plain(one).length(), plain(other).length()))
                    .orElseThrow();
        }

        @Override
        public void visit(StrongEmphasis bold) {
            String id = definitions.get(bold);
            if (id == null) {
                visitChildren(bold);
                return;
            }
            Node parent = bold.getParent();
            bold.insertBefore(html("<strong class=\"rule\" id=\"" + id + "\">" + self(id) + "</strong>"));
            bold.unlink();
            parent.appendChild(html(facts.ofRule(id, false)));
        }

        @Override
        public void visit(Link link) {
            String target = link.getDestination();
            if (!target.contains("://")) {
                link.setDestination(target.replaceFirst("\\.md(?=#|$)", ".html"));
                // The name of a file is useless on a page.
                if (target.equals(plain(link))) {
                    children(link).forEach(Node::unlink);
                    link.appendChild(new Text(titles.getOrDefault(target, target)));
                }
            }
        }

        @Override
        public void visit(Text words) {
            replace(words, addresses.linked(words.getLiteral()));
        }

        @Override
        public void visit(Code code) {
            replace(code, "<code>" + addresses.linked(code.getLiteral()) + "</code>");
        }

        @Override
        public void visit(FencedCodeBlock block) {
            String html = switch (block.getInfo()) {
                case "layout" -> LayoutDiagram.html(block.getLiteral(), addresses);
                case "states" -> StateDiagram.html(block.getLiteral(), addresses);
                default -> "<pre tabindex=\"0\"><code>" + addresses.linked(block.getLiteral()) + "</code></pre>";
            };
            replace(block, htmlBlock(html));
        }

        private static String self(String id) {
            return "<a class=\"self\" href=\"#" + id + "\">" + id + "</a>";
        }

        private static void replace(Node node, String html) {
            replace(node, html(html));
        }

        private static void replace(Node node, Node other) {
            node.insertBefore(other);
            node.unlink();
        }

        private static HtmlInline html(String literal) {
            HtmlInline inline = new HtmlInline();
            inline.setLiteral(literal);
            return inline;
        }

        private static HtmlBlock htmlBlock(String literal) {
            HtmlBlock block = new HtmlBlock();
            block.setLiteral(literal);
            return block;
        }
    }
}
