import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassElement;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.Label;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.AccessFlag;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Replaces the {@code switch} statements over types in a class by calls of generated methods. By default the JVM generates a class for each such
 * statement when it first runs. An AOT cache does not contain these classes, and the first of them takes as long at a start as a hundred other classes.
 * A generated method has the behaviour that {@code SwitchBootstraps.typeSwitch} specifies, and the JVM compiles both to the same code. A switch with
 * labels that are not types is not changed.
 *
 * <p>An object transforms one class.
 */
final class TypeSwitches implements ClassTransform {
    private static final String BOOTSTRAP = "typeSwitch";
    private static final ClassDesc BOOTSTRAPS = ClassDesc.of("java.lang.runtime.SwitchBootstraps");
    private static final MethodTypeDesc TYPE =
            MethodTypeDesc.of(ConstantDescs.CD_int, ConstantDescs.CD_Object, ConstantDescs.CD_int);
    private static final int VALUE = 0;
    private static final int FIRST = 1;

    private final ClassDesc owner;
    private final boolean isInterface;
    /** The names of the generated methods by the labels of the switch. Switches with the same labels share a method. */
    private final Map<List<ClassDesc>, String> methods = new LinkedHashMap<>();

    TypeSwitches(ClassModel of) {
        this.owner = of.thisClass().asSymbol();
        this.isInterface = of.flags().has(AccessFlag.INTERFACE);
    }

    @Override
    public void accept(ClassBuilder builder, ClassElement element) {
        if (element instanceof MethodModel method) {
            builder.transformMethod(method, MethodTransform.transformingCode(this::replace));
        } else {
            builder.with(element);
        }
    }

    private void replace(CodeBuilder builder, CodeElement element) {
        if (element instanceof InvokeDynamicInstruction call && isOfTypes(call)) {
            List<ClassDesc> labels =
                    call.bootstrapArgs().stream().map(ClassDesc.class::cast).toList();
            String name = methods.computeIfAbsent(labels, added -> BOOTSTRAP + "$" + methods.size());
            builder.invokestatic(owner, name, TYPE, isInterface);
        } else {
            builder.with(element);
        }
    }

    private static boolean isOfTypes(InvokeDynamicInstruction call) {
        return call.bootstrapMethod().owner().equals(BOOTSTRAPS)
                && call.bootstrapMethod().methodName().equals(BOOTSTRAP)
                && call.bootstrapArgs().stream().allMatch(TypeSwitches::isType);
    }

    private static boolean isType(ConstantDesc label) {
        return label instanceof ClassDesc type && !type.isPrimitive();
    }

    @Override
    public void atEnd(ClassBuilder builder) {
        methods.forEach((labels, name) -> builder.withMethodBody(
                name,
                TYPE,
                ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC | ClassFile.ACC_SYNTHETIC,
                code -> select(code, labels)));
    }

    /** Generates code that returns the index of the first type, from a given index on, that the value has; -1 for null; the number of labels if none matches. */
    private static void select(CodeBuilder code, List<ClassDesc> labels) {
        Label isThere = code.newLabel();
        code.aload(VALUE).ifnonnull(isThere).iconst_m1().ireturn().labelBinding(isThere);
        for (int i = 0; i < labels.size(); i++) {
            Label next = code.newLabel();
            code.iload(FIRST).loadConstant(i).if_icmpgt(next);
            code.aload(VALUE).instanceOf(labels.get(i)).ifeq(next);
            code.loadConstant(i).ireturn().labelBinding(next);
        }
        code.loadConstant(labels.size()).ireturn();
    }
}
