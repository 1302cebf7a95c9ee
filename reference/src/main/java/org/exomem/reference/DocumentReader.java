package org.exomem.reference;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.io.Reader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads a file of the catalogue. Strict: everything that {@code spec/catalogue/README.md} does not describe is an
 * error.
 *
 * <p>Works on the parser's tokens, because an object mapper takes longer to initialise than all files take to be read.
 */
final class DocumentReader {
    private static final YAMLFactory YAML = YAMLFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private final String file;

    private DocumentReader(String file) {
        this.file = file;
    }

    /**
     * Reads a file.
     *
     * @param file its name, for messages
     * @throws CatalogueException if the text is not a file of the catalogue
     */
    static Document read(String file, Reader text) {
        return new DocumentReader(file).document(tree(file, text));
    }

    private Document document(@Nullable Object tree) {
        Fields fields = Fields.of(file, tree);
        Source source = source(fields.fields("source"));
        List<SectionCount> counts = new ArrayList<>();
        for (Object count : fields.list("counts")) {
            counts.add(count(Fields.of(file + ": counts", count)));
        }
        List<Requirement> requirements = new ArrayList<>();
        for (Object requirement : fields.list("requirements")) {
            requirements.add(requirement(Fields.of(file + ": requirements", requirement)));
        }
        fields.end();
        return new Document(file, source, counts, requirements);
    }

    private static Source source(Fields fields) {
        Source source = new Source(
                fields.text("title"),
                fields.text("version"),
                fields.text("publisher"),
                fields.text("url"),
                fields.text("date"),
                fields.text("text"),
                fields.texts("sections"),
                fields.text("method"));
        fields.end();
        return source;
    }

    private SectionCount count(Fields anywhere) {
        String section = anywhere.text("section");
        Fields fields = anywhere.at(file + ": counts of " + section);
        int leftOut = fields.optionalNumber("left-out");
        SectionCount count = new SectionCount(
                section,
                fields.number("found"),
                fields.number("catalogued"),
                leftOut,
                reason(fields, leftOut > 0),
                fields.optionalNumber("added"));
        fields.end();
        return count;
    }

    private Requirement requirement(Fields anywhere) {
        String id = anywhere.text("id");
        Fields fields = anywhere.at(file + ": " + id);
        if (!Requirement.ID.matcher(id).matches()) {
            throw new CatalogueException(file + ": \"" + id + "\" is not an id such as balloon.hint.7");
        }
        boolean observable = fields.flag("observable");
        Requirement requirement = new Requirement(
                id,
                fields.optionalTexts("aliases"),
                fields.optionalTexts("see"),
                fields.choice("strength", Strength.class),
                fields.choice("binds", Party.class),
                fields.text("section"),
                fields.text("statement"),
                fields.optionalText("note"),
                reason(fields, !observable),
                fields.choice("devices", Devices.class));
        fields.end();
        return requirement;
    }

    private static Optional<String> reason(Fields fields, boolean wanted) {
        Optional<String> reason = fields.optionalText("reason");
        if (reason.isPresent() != wanted) {
            throw fields.complaint(wanted ? "reason is missing" : "reason is not allowed here");
        }
        return reason;
    }

    private static @Nullable Object tree(String file, Reader text) {
        try (YAMLParser parser = YAML.createParser(text)) {
            Object tree = value(file, parser, parser.nextToken());
            if (parser.nextToken() != null) {
                throw new CatalogueException(file + ": has a second document");
            }
            return tree;
        } catch (JsonProcessingException e) {
            throw new CatalogueException(
                    file + ":" + e.getLocation().getLineNr() + ": not YAML: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new CatalogueException(file + ": can't be read: " + e.getMessage(), e);
        }
    }

    /** Reads mappings as maps, sequences as lists, and scalars as texts, numbers and booleans. */
    private static Object value(String file, YAMLParser parser, @Nullable JsonToken token) throws IOException {
        if (token == null) {
            throw new CatalogueException(file + ": is empty");
        }
        return switch (token) {
            case START_OBJECT -> {
                Map<String, Object> fields = new LinkedHashMap<>();
                for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                    fields.put(name, value(file, parser, parser.nextToken()));
                }
                yield fields;
            }
            case START_ARRAY -> {
                List<Object> elements = new ArrayList<>();
                for (JsonToken next = parser.nextToken(); next != JsonToken.END_ARRAY; next = parser.nextToken()) {
                    elements.add(value(file, parser, next));
                }
                yield elements;
            }
            case VALUE_STRING -> parser.getText();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NUMBER_INT -> parser.getIntValue();
            default ->
                throw new CatalogueException(
                        file + ":" + parser.currentLocation().getLineNr() + ": a text, a whole number, true or false"
                                + " is expected; a text that looks like another type needs quotation marks");
        };
    }
}
